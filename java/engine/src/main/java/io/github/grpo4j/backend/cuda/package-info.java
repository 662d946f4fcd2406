/**
 * The op catalogue on an NVIDIA GPU: own kernels through {@code CudaOps}, generated from {@code grpo4j/ops.h} and
 * {@code cuda_ops.h}; matrix products by cuBLASLt; optimizer state in the machine's memory.
 */
package io.github.grpo4j.backend.cuda;
