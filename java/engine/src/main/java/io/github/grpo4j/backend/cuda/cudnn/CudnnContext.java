package io.github.grpo4j.backend.cuda.cudnn;

import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_EXECUTION_PLAN_HANDLE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATIONGRAPH_HANDLE;

import io.github.grpo4j.backend.cuda.runtime.CudaDevice;
import org.bytedeco.cuda.cudnn.cudnnContext;
import org.bytedeco.cuda.global.cudnn;

/** cuDNN on a device and its stream. */
final class CudnnContext implements CudnnTarget, AutoCloseable {
  private final cudnnContext handle = new cudnnContext();

  CudnnContext(CudaDevice device) {
    CudnnDescriptor.check(cudnn.cudnnCreate(handle), "cudnnCreate");
    CudnnDescriptor.check(cudnn.cudnnSetStream(handle, device.stream()), "cudnnSetStream");
  }

  cudnnContext handle() {
    return handle;
  }

  @Override
  public void describeTo(CudnnGraph.Stage stage, CudnnDescriptor descriptor) {
    switch (stage) {
      case GRAPH -> descriptor.context(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle);
      case HEURISTICS -> { } // knows from the graph
      case PLAN -> descriptor.context(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, handle);
    }
  }

  @Override
  public void close() {
    cudnn.cudnnDestroy(handle);
  }
}
