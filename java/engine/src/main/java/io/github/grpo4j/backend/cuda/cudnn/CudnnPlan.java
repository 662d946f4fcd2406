package io.github.grpo4j.backend.cuda.cudnn;

import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_VARIANT_PACK_WORKSPACE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR;

import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.cuda.global.cudnn;
import org.bytedeco.javacpp.FloatPointer;

/** A way to compute a {@link CudnnGraph}, compiled for one device. It lives as long as its graph. */
final class CudnnPlan {
  private final CudnnDescriptor plan;
  private final Map<Long, FloatPointer> constants;
  private final long workspaceBytes;

  CudnnPlan(CudnnDescriptor plan, Map<Long, FloatPointer> constants) {
    this.plan = plan;
    this.constants = constants;
    this.workspaceBytes = plan.getLong(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
  }

  /** Device memory that a run needs beside the graph's tensors. */
  long workspaceBytes() {
    return workspaceBytes;
  }

  /** Addresses of the tensors that lie in memory. */
  static final class Binding {
    private final Map<Long, Long> addresses = new LinkedHashMap<>();

    Binding bind(CudnnGraph.Value tensor, long address) {
      addresses.put(tensor.id(), address);
      return this;
    }
  }

  /** Queues the work on the stream of {@code context}. */
  void run(CudnnContext context, Binding binding, long workspace) {
    Map<Long, Long> all = new LinkedHashMap<>(binding.addresses);
    constants.forEach((id, value) -> all.put(id, value.address()));
    try (CudnnDescriptor pack = new CudnnDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)) {
      pack.addresses(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace)
          .addresses(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, all.values().stream().mapToLong(Long::longValue).toArray())
          .longs(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, all.keySet().stream().mapToLong(Long::longValue).toArray()).finish();
      CudnnDescriptor.check(cudnn.cudnnBackendExecute(context.handle(), plan.handle(), pack.handle()), "cudnnBackendExecute");
    }
  }
}
