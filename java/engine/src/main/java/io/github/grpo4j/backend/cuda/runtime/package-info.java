/** The CUDA runtime: finding its libraries, the device, streams, pinned memory, recorded graphs. Knows no kernel. */
package io.github.grpo4j.backend.cuda.runtime;
