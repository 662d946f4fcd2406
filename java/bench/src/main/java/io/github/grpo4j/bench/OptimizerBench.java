package io.github.grpo4j.bench;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelWeights;
import io.github.grpo4j.optim.AdamW;
import io.github.grpo4j.optim.AdamW.Placement;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Speed of AdamW on all parameters of a model: the gradient's norm, then the update, with the states in each placement. What states
 * in the host's memory cost is to be read beside the bus that they come over ({@link #bus}). Weights, gradients and states are zero: the
 * arithmetic takes as long with any number.
 */
public final class OptimizerBench {
  /**
   * @param seconds of a step, the median
   * @param bytes of gradients (twice, the norm comes first), weights and states that a step reads or writes
   * @param busInBytes that a step brings to the device
   * @param busOutBytes that it takes back
   */
  public record Result(Placement placement, double seconds, double bytes, double busInBytes, double busOutBytes) {}

  /** Bytes a second between the host's memory and the device, one way at a time; on a processor those of a copy. */
  public record Bus(double inBytesPerSecond, double outBytesPerSecond) {}

  private static final long BUS_BYTES = 128L << 20;
  private static final int BUS_ROUNDS = 5;

  private OptimizerBench() {}

  /**
   * One step for warm-up, then the repeats, for each placement.
   *
   * @param each is told of a placement as soon as it is measured
   */
  public static void measure(Backend backend, ModelConfig config, DType dtype, List<Placement> placements, int repeats, Consumer<Result> each) {
    Workload.require(repeats >= 1, "the number of repeats", repeats, "at least 1");
    try (ModelWeights weights = new ModelWeights(backend, config, dtype); Gradients gradients = new Gradients(backend, weights);
        Tensor flag = backend.allocate(DType.F32, Layout.ROWS, 1)) {
      for (Placement placement : placements) {
        try (AdamW optimizer = new AdamW(backend, weights, new AdamW.Settings(0.9, 0.999, 1e-8, 0, false, 1), placement)) {
          List<Double> seconds = new ArrayList<>();
          for (int i = 0; i <= repeats; i++) {
            double taken = seconds(backend, flag, () -> optimizer.step(gradients, 1e-6));
            if (i > 0) {
              seconds.add(taken);
            }
          }
          each.accept(result(config.parameterCount(), dtype, placement, Workload.median(seconds)));
        }
      }
    }
  }

  private static Result result(double parameters, DType dtype, Placement placement, double seconds) {
    boolean ownMaster = dtype != DType.F32;
    double states = parameters * Float.BYTES * (ownMaster ? 3 : 2);
    double grads = parameters * Float.BYTES;
    double weights = parameters * dtype.bytes();
    double bytes = 2 * states + 2 * grads + (ownMaster ? 1 : 2) * weights;
    return switch (placement) {
      case DEVICE -> new Result(placement, seconds, bytes, 0, 0);
      case OFFLOAD -> new Result(placement, seconds, bytes, states, states);
      case HOST -> new Result(placement, seconds, bytes, weights, grads + (ownMaster ? 0 : weights));
    };
  }

  public static Bus bus(Backend backend) {
    long elements = BUS_BYTES / Float.BYTES;
    try (Tensor host = backend.allocateHost(Layout.ROWS, elements); Tensor device = backend.allocate(DType.F32, Layout.ROWS, elements);
        Tensor flag = backend.allocate(DType.F32, Layout.ROWS, 1)) {
      return new Bus(BUS_BYTES / best(backend, flag, () -> backend.copy(device, host)), BUS_BYTES / best(backend, flag, () -> backend.copy(host, device)));
    }
  }

  private static double best(Backend backend, Tensor flag, Runnable work) {
    double best = Double.POSITIVE_INFINITY;
    for (int round = 0; round < BUS_ROUNDS; round++) {
      best = Math.min(best, seconds(backend, flag, work));
    }
    return best;
  }

  /** From an idle device to an idle device: reading a number waits for all that came before. */
  private static double seconds(Backend backend, Tensor flag, Runnable work) {
    float[] read = new float[1];
    backend.download(flag, read, 0);
    long start = System.nanoTime();
    work.run();
    backend.download(flag, read, 0);
    return (System.nanoTime() - start) * 1e-9;
  }
}
