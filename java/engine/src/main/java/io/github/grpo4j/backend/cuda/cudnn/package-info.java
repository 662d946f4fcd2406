/** Attention by cuDNN: its graph interface, and the graphs that compute what the own kernels compute. Optional. */
package io.github.grpo4j.backend.cuda.cudnn;
