package io.github.grpo4j.backend.cuda;

import static org.bytedeco.cuda.global.cudart.cudaStreamCaptureModeThreadLocal;

import io.github.grpo4j.backend.Backend;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.bytedeco.cuda.cudart.CUgraphExec_st;
import org.bytedeco.cuda.cudart.CUgraph_st;
import org.bytedeco.cuda.global.cudart;

/**
 * Sequences of calls as CUDA graphs, by key. The first time a sequence runs call by call, so that everything that is allocated
 * once is allocated; the second time it is captured; from then on it is one launch.
 */
public final class CudaGraphs implements Backend.Replay {
  private final CudaDevice device;
  private final Set<Object> seen = new HashSet<>();
  private final Map<Object, CUgraphExec_st> graphs = new HashMap<>();

  public CudaGraphs(CudaDevice device) {
    this.device = device;
  }

  @Override
  public void run(Object key, Runnable work) {
    if (seen.add(key)) {
      work.run();
      return;
    }
    CUgraphExec_st graph = graphs.get(key);
    if (graph == null) {
      graph = capture(work);
      graphs.put(key, graph);
    }
    CudaDevice.check(cudart.cudaGraphLaunch(graph, device.stream()), "cudaGraphLaunch");
  }

  private CUgraphExec_st capture(Runnable work) {
    CudaDevice.check(cudart.cudaStreamBeginCapture(device.stream(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
    CUgraph_st graph = new CUgraph_st();
    int ended;
    try {
      work.run();
    } finally {
      ended = cudart.cudaStreamEndCapture(device.stream(), graph); // whatever happened: a stream that captures does nothing else
    }
    CudaDevice.check(ended, "cudaStreamEndCapture");
    CUgraphExec_st executable = new CUgraphExec_st();
    try {
      CudaDevice.check(cudart.cudaGraphInstantiate(executable, graph, 0), "cudaGraphInstantiate");
    } finally {
      cudart.cudaGraphDestroy(graph);
    }
    return executable;
  }

  @Override
  public void close() {
    device.synchronize();
    graphs.values().forEach(cudart::cudaGraphExecDestroy);
    graphs.clear();
  }
}
