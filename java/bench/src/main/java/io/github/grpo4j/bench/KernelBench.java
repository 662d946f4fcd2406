package io.github.grpo4j.bench;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Replay;
import io.github.grpo4j.model.ModelConfig;
import java.util.ArrayList;
import java.util.List;

/** Speed of single kernels; to be read beside {@link Ceilings}. */
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

  private static final double SECONDS = 0.3;
  private static final int FEWEST_ROUNDS = 5;
  /** Reading the clock and waiting for a device take some microseconds, so calls are timed several at once until this is much more. */
  private static final double ROUND_SECONDS = 2e-3;
  private static final double SHORT_SECONDS = 1e-4;
  private static final int MOST_CALLS = 1000;

  private KernelBench() {}

  /** Calls the kernel for about half a second; a back end that can record calls and queue them as a whole does so. */
  public static Result measure(Backend backend, ModelConfig model, DType dtype, Kernel kernel, KernelLoad load) {
    try (KernelCall call = new KernelCall(backend, model, dtype, kernel, load); Replay replay = backend.replay()) {
      call.run();
      double one = Workload.median(time(backend, call::run, 0));
      // Waiting can take longer than a small kernel does: several calls tell more about it than one.
      double estimate = one < SHORT_SECONDS ? Workload.median(time(backend, () -> repeat(call, 20), 0)) / 20 : one;
      int calls = (int) Math.max(1, Math.min(MOST_CALLS, ROUND_SECONDS / estimate));
      Runnable round = () -> repeat(call, calls);
      // A replay runs its work, records it, and only then replays it: three rounds of warm-up at least, and time warms up five.
      time(backend, () -> replay.run(kernel, round), 0);
      double seconds = Workload.median(time(backend, () -> replay.run(kernel, round), SECONDS)) / calls;
      return new Result(kernel, call.shape(), seconds, call.operations(), call.bytes());
    }
  }

  private static void repeat(KernelCall call, int times) {
    for (int i = 0; i < times; i++) {
      call.run();
    }
  }

  /** Seconds of every round, from an idle device to an idle device. */
  private static List<Double> time(Backend backend, Runnable round, double limit) {
    List<Double> seconds = new ArrayList<>();
    backend.synchronize();
    long begin = System.nanoTime();
    while (seconds.size() < FEWEST_ROUNDS || (System.nanoTime() - begin) * 1e-9 < limit) {
      long start = System.nanoTime();
      round.run();
      backend.synchronize();
      seconds.add((System.nanoTime() - start) * 1e-9);
    }
    return seconds;
  }
}
