package io.github.grpo4j.backend;

/** Whose kernels compute the attention of packed sequences on a GPU. */
public enum AttentionKernels {
  OWN,
  /** cuDNN's where it can; sequences that share a beginning stay with the own ones. */
  CUDNN
}
