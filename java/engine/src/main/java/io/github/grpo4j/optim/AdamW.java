package io.github.grpo4j.optim;

import io.github.grpo4j.backend.AdamWSettings;
import io.github.grpo4j.backend.AdamWState;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.DeviceKind;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.StreamedAdamW;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.backend.Updater;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelWeights;
import io.github.grpo4j.model.Parameter;
import io.github.grpo4j.model.ParameterShape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * AdamW with fp32 master weights and global-norm clipping (Loshchilov and Hutter, 2017; the clip factor is that of PyTorch,
 * {@code min(1, max / (norm + 1e-6))}). States have the layouts of the weights; where they lie is the {@link Placement}.
 *
 * <p>A master exists only where the weights are stored in fewer bits: an update of 1e-5 is lost in bf16 for every weight
 * above about 0.004, so bf16 weights are rounded from their masters after each step.
 *
 * <p>A step whose gradient holds a NaN or an infinity is left out and reported.
 */
public final class AdamW implements AutoCloseable {
  /** Elements of a bucket of states on their way to the device and back. */
  private static final int BUCKET = 1 << 24;
  /** F32 elements that are converted at once between weights and masters. */
  private static final int SLICE = 1 << 21;

  /**
   * Where the states lie, and who updates them. All placements give the same bits on one back end; where the device has no memory of
   * its own they are the same.
   */
  public enum Placement {
    /** Beside the weights: fastest. */
    DEVICE,
    /** In the host's memory; they pass through the device in buckets. */
    OFFLOAD,
    /** In the host's memory; the host's processor updates them. */
    HOST
  }

  /**
   * @param decayVectors whether weight decay also applies to biases and norm weights
   * @param maxGradNorm largest global L2 norm of the gradient; 0 is off
   */
  public record Settings(
      double beta1, double beta2, double epsilon, double weightDecay, boolean decayVectors, double maxGradNorm) {}

  /**
   * @param gradNorm global L2 norm before clipping
   * @param skipped the gradient was not finite and nothing was changed
   */
  public record StepResult(double gradNorm, boolean skipped) {}

  /** Optimizer state of one parameter, F32 in the parameter's layout. {@code master} is the weight itself where that is F32. */
  public record State(Parameter parameter, Tensor master, Tensor m, Tensor v) {
    public boolean hasOwnMaster() {
      return master != parameter.weight();
    }
  }

  private final Backend backend;
  private final Settings settings;
  private final List<State> states = new ArrayList<>();
  private final Tensor norm;
  /** Null where the states are beside the weights. */
  private final StreamedAdamW streamed;
  private long step;

  /** With states beside the weights. */
  public AdamW(Backend backend, ModelWeights weights, Settings settings) {
    this(backend, weights, settings, Placement.DEVICE);
  }

  /** Takes the masters from the present weights. */
  public AdamW(Backend backend, ModelWeights weights, Settings settings, Placement placement) {
    this(backend, weights, settings, placement, bucket(weights.config()));
  }

  /** @param bucket elements of a bucket of states that are streamed, a multiple of 64 */
  public AdamW(Backend backend, ModelWeights weights, Settings settings, Placement placement, int bucket) {
    this.backend = backend;
    this.settings = settings;
    this.norm = backend.allocate(DType.F64, Layout.ROWS, 2);
    try {
      for (Parameter parameter : weights.parameters()) {
        states.add(allocate(parameter, placement));
      }
      mastersFromWeights();
      this.streamed = switch (placement) {
        case DEVICE -> null;
        case OFFLOAD -> backend.streamedAdamW(operands(), Updater.DEVICE, bucket);
        case HOST -> backend.streamedAdamW(operands(), Updater.HOST, bucket);
      };
    } catch (RuntimeException e) {
      closeStates();
      throw e;
    }
  }

  /** Bytes of the device for master, m and v of a model whose weights are stored as {@code dtype}, beyond those weights. */
  public static long deviceBytes(ModelConfig config, DType dtype, Placement placement, DeviceKind device) {
    return switch (placement) {
      case DEVICE -> stateBytes(config, dtype, device);
      case OFFLOAD -> (device.hasOwnMemory() ? 0 : stateBytes(config, dtype, device))
          + device.streamingDeviceBytes(Updater.DEVICE, bucket(config));
      case HOST -> (device.hasOwnMemory() ? 0 : stateBytes(config, dtype, device))
          + device.streamingDeviceBytes(Updater.HOST, bucket(config));
    };
  }

  /** Bytes of the host's memory, where that is not the device's. */
  public static long hostBytes(ModelConfig config, DType dtype, Placement placement, DeviceKind device) {
    if (placement == Placement.DEVICE || !device.hasOwnMemory()) {
      return 0;
    }
    Updater updater = placement == Placement.OFFLOAD ? Updater.DEVICE : Updater.HOST;
    return stateBytes(config, dtype, device) + device.streamingHostBytes(updater, bucket(config));
  }

  private static long stateBytes(ModelConfig config, DType dtype, DeviceKind device) {
    return (dtype == DType.F32 ? 2 : 3) * ParameterShape.bytes(config, DType.F32, device);
  }

  /** No larger than the largest parameter. */
  private static int bucket(ModelConfig config) {
    long largest = ParameterShape.of(config).stream().mapToLong(shape -> Arrays.stream(shape.shape()).reduce(1, Math::multiplyExact)).max()
        .orElseThrow();
    return (int) Math.min(BUCKET, (largest + 63) / 64 * 64);
  }

  private State allocate(Parameter parameter, Placement placement) {
    Tensor weight = parameter.weight();
    List<Tensor> taken = new ArrayList<>();
    try {
      for (int i = 0; i < (weight.dtype() == DType.F32 ? 2 : 3); i++) {
        taken.add(placement == Placement.DEVICE
            ? backend.allocate(DType.F32, weight.layout(), weight.shape())
            : backend.allocateHost(weight.layout(), weight.shape()));
      }
    } catch (RuntimeException e) {
      taken.forEach(Tensor::close);
      throw e;
    }
    return new State(parameter, taken.size() == 3 ? taken.get(2) : weight, taken.get(0), taken.get(1));
  }

  private List<AdamWState> operands() {
    return states.stream().map(state -> new AdamWState(state.parameter().weight(), state.master(), state.m(), state.v())).toList();
  }

  /**
   * Announces a step whose gradient is about to be computed: states that are streamed set out meanwhile. May be left out; a checkpoint
   * may not be loaded between this and the step.
   */
  public void prefetch() {
    if (streamed != null) {
      streamed.prefetch();
    }
  }

  /** One step with the gradients of all parameters. */
  public StepResult step(Gradients gradients, double learningRate) {
    return step(gradients, learningRate, 1);
  }

  /**
   * One step with gradients that are too large by a factor, see {@link LossScaler}: it is divided out, and the norm is that of the
   * quotient.
   */
  public StepResult step(Gradients gradients, double learningRate, double lossScale) {
    backend.zero(norm);
    for (State state : states) {
      backend.sumSquares(norm, gradients.of(state.parameter()));
    }
    double[] sums = new double[2];
    backend.download(norm, sums, 0);
    double gradNorm = Math.sqrt(sums[0]) / lossScale;
    if (sums[1] > 0 || !Double.isFinite(gradNorm)) {
      return new StepResult(gradNorm, true);
    }
    double max = settings.maxGradNorm();
    float scale = (float) ((max > 0 ? Math.min(1, max / (gradNorm + 1e-6)) : 1) / lossScale);
    step++;
    update(gradients, kernelSettings(learningRate, scale, settings.weightDecay()), kernelSettings(learningRate, scale, 0));
    return new StepResult(gradNorm, false);
  }

  private void update(Gradients gradients, AdamWSettings decayed, AdamWSettings undecayed) {
    List<Tensor> grads = new ArrayList<>();
    List<AdamWSettings> each = new ArrayList<>();
    for (State state : states) {
      grads.add(gradients.of(state.parameter()));
      each.add(settings.decayVectors() || state.parameter().isMatrix() ? decayed : undecayed);
    }
    if (streamed != null) {
      streamed.step(grads, each);
      return;
    }
    for (int i = 0; i < states.size(); i++) {
      State state = states.get(i);
      backend.adamw(state.parameter().weight(), state.master(), state.m(), state.v(), grads.get(i), each.get(i));
    }
  }

  private AdamWSettings kernelSettings(double learningRate, float scale, double decay) {
    return new AdamWSettings((float) learningRate, settings.beta1(), settings.beta2(), (float) settings.epsilon(),
        (float) decay, step, scale);
  }

  /** Steps taken; part of a checkpoint, for the bias corrections. */
  public long stepCount() {
    return step;
  }

  public void restoreStepCount(long steps) {
    this.step = steps;
  }

  public List<State> states() {
    return List.copyOf(states);
  }

  /** Rounds the weights from their masters: after a checkpoint's masters were loaded. */
  public void weightsFromMasters() {
    for (State state : mastered(Tensor.Place.DEVICE)) {
      if (state.parameter().isMatrix()) {
        backend.castPacked(state.parameter().weight(), state.master());
      } else {
        backend.cast(state.parameter().weight(), state.master());
      }
    }
    forEachSlice(mastered(Tensor.Place.HOST), (parameter, master, row, slice) -> {
      if (parameter.isMatrix()) {
        backend.unpackRows(slice, master, row);
        backend.packRows(parameter.weight(), row, slice);
      } else {
        backend.copy(slice, master.rows(row, slice.rows()));
        backend.cast(parameter.weight().rows(row, slice.rows()), slice);
      }
    });
  }

  private void mastersFromWeights() {
    forEachSlice(states.stream().filter(State::hasOwnMaster).toList(), (parameter, master, row, slice) -> {
      if (parameter.isMatrix()) {
        backend.unpackRows(slice, parameter.weight(), row);
        backend.packRows(master, row, slice);
      } else {
        backend.cast(slice, parameter.weight().rows(row, slice.rows()));
        backend.copy(master.rows(row, slice.rows()), slice);
      }
    });
  }

  private interface SliceAction {
    /** @param slice F32 on the device, room for so many rows of the parameter from {@code row} on */
    void accept(Parameter parameter, Tensor master, long row, Tensor slice);
  }

  private List<State> mastered(Tensor.Place place) {
    return states.stream().filter(state -> state.hasOwnMaster() && state.master().place() == place).toList();
  }

  /** Goes through masters in slices: a whole unpacked fp32 head would be the largest tensor of the process. */
  private void forEachSlice(List<State> mastered, SliceAction action) {
    if (mastered.isEmpty()) {
      return;
    }
    try (Tensor room = backend.allocate(DType.F32, Layout.ROWS, SLICE)) {
      for (State state : mastered) {
        Tensor master = state.master();
        long most = SLICE / master.columns();
        for (long row = 0; row < master.rows(); row += most) {
          long rows = Math.min(most, master.rows() - row);
          long[] shape = master.shape();
          shape[0] = rows;
          action.accept(state.parameter(), master, row, room.viewAs(DType.F32, shape));
        }
      }
    }
  }

  @Override
  public void close() {
    if (streamed != null) {
      streamed.close();
    }
    closeStates();
  }

  private void closeStates() {
    norm.close();
    for (State state : states) {
      if (state.hasOwnMaster()) {
        state.master().close();
      }
      state.m().close();
      state.v().close();
    }
  }
}
