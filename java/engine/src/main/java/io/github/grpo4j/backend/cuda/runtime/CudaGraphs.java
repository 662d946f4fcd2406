package io.github.grpo4j.backend.cuda.runtime;

import static org.bytedeco.cuda.global.cudart.cudaStreamCaptureModeThreadLocal;

import io.github.grpo4j.backend.Replay;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.bytedeco.cuda.cudart.CUgraphExec_st;
import org.bytedeco.cuda.cudart.CUgraph_st;
import org.bytedeco.cuda.global.cudart;

/**
 * Sequences of calls as CUDA graphs, by key. The first time a sequence runs call by call, so that everything that is allocated
 * once is allocated; the second time it is captured; from then on it is one launch.
 */
public final class CudaGraphs implements Replay {
  /** Of a model of 24 layers each takes a few hundred nodes of memory. What was used longest ago is captured again if it comes back. */
  private static final int MAX_GRAPHS = 64;
  /** One run keeps the GPU busy while the host reads the one before and queues the one behind; more only make later what ended known. */
  private static final int RUNS_AHEAD = 1;
  private static final int FINER_FROM = 16;

  private final CudaDevice device;
  private final Set<Object> seen = new HashSet<>();
  private final Map<Object, CUgraphExec_st> graphs = new LinkedHashMap<>(16, 0.75f, true);

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
      makeRoom();
      graphs.put(key, graph);
    }
    CudaDevice.check(cudart.cudaGraphLaunch(graph, device.stream()), "cudaGraphLaunch");
  }

  private void makeRoom() {
    if (graphs.size() == MAX_GRAPHS) {
      device.synchronize(); // it may be running
      Iterator<CUgraphExec_st> oldest = graphs.values().iterator();
      cudart.cudaGraphExecDestroy(oldest.next());
      oldest.remove();
    }
  }

  @Override
  public int runsAhead() {
    return RUNS_AHEAD;
  }

  /** 1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, ...: at most a third of the rows are padding from 16 on, and 256 rows are 13 graphs. */
  @Override
  public int paddedRows(int rows) {
    int above = rows <= 1 ? rows : Integer.highestOneBit(rows - 1) << 1;
    int between = above / 4 * 3;
    return above > FINER_FROM && rows <= between ? between : above;
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
