package io.github.grpo4j.bench;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.model.ModelConfig;
import java.util.ArrayList;
import java.util.List;

/** Speed of single kernels; to be read beside {@link io.github.grpo4j.backend.CpuCeilings}. */
public final class KernelBench {
  /**
   * @param shape of the call, as {@link KernelCall#shape}
   * @param seconds of a call, the median
   * @param operations of a call
   * @param bytes that a call must move at least
   */
  public record Result(Kernel kernel, String shape, double seconds, double operations, double bytes) {
    public double operationsPerSecond() {
      return operations / seconds;
    }

    public double bytesPerSecond() {
      return bytes / seconds;
    }
  }

  private static final double WARM_UP_SECONDS = 0.05;
  private static final double SECONDS = 0.3;
  private static final int FEWEST_CALLS = 5;

  private KernelBench() {}

  /** Calls the kernel for about a third of a second. */
  public static Result measure(Backend backend, ModelConfig model, DType dtype, Kernel kernel) {
    try (KernelCall call = new KernelCall(backend, model, dtype, kernel)) {
      List<Double> warmUp = time(call, WARM_UP_SECONDS, 1);
      // A clock reading costs as much as the smallest kernels, so these are timed several at once.
      int batch = (int) Math.max(1, Math.min(1000, 20e-6 / Workload.median(warmUp)));
      return new Result(kernel, call.shape(), Workload.median(time(call, SECONDS, batch)), call.operations(), call.bytes());
    }
  }

  private static List<Double> time(KernelCall call, double limit, int batch) {
    List<Double> seconds = new ArrayList<>();
    long begin = System.nanoTime();
    while (seconds.size() < FEWEST_CALLS || (System.nanoTime() - begin) * 1e-9 < limit) {
      long start = System.nanoTime();
      for (int i = 0; i < batch; i++) {
        call.run();
      }
      seconds.add((System.nanoTime() - start) * 1e-9 / batch);
    }
    return seconds;
  }
}
