package io.github.grpo4j.backend.cuda.cudnn;

/** What cuDNN plans for: says so to the descriptors that want to know. */
interface CudnnTarget {
  void describeTo(CudnnGraph.Stage stage, CudnnDescriptor descriptor);
}
