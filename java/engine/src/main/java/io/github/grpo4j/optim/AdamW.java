package io.github.grpo4j.optim;

import io.github.grpo4j.backend.AdamWSettings;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelWeights;
import io.github.grpo4j.model.Parameter;
import io.github.grpo4j.model.ParameterShape;
import java.util.ArrayList;
import java.util.List;

/**
 * AdamW with fp32 master weights and global-norm clipping (Loshchilov and Hutter, 2017; the clip factor is that of PyTorch,
 * {@code min(1, max / (norm + 1e-6))}). States live beside the weights, in the same layouts.
 *
 * <p>A master exists only where the weights are stored in fewer bits: an update of 1e-5 is lost in bf16 for every weight
 * above about 0.004, so bf16 weights are rounded from their masters after each step.
 *
 * <p>A step whose gradient holds a NaN or an infinity is left out and reported.
 */
public final class AdamW implements AutoCloseable {
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
  private long step;

  /** Takes the masters from the present weights. */
  public AdamW(Backend backend, ModelWeights weights, Settings settings) {
    this.backend = backend;
    this.settings = settings;
    this.norm = backend.allocate(DType.F64, Layout.ROWS, 2);
    for (Parameter parameter : weights.parameters()) {
      Tensor weight = parameter.weight();
      Tensor master = weight;
      if (weight.dtype() != DType.F32) {
        master = backend.allocate(DType.F32, weight.layout(), weight.shape());
        copyToMaster(parameter, master);
      }
      states.add(new State(parameter, master, backend.allocate(DType.F32, weight.layout(), weight.shape()),
          backend.allocate(DType.F32, weight.layout(), weight.shape())));
    }
  }

  /** Bytes of master, m and v of a model whose weights are stored as {@code dtype}, beyond those weights. */
  public static long bytes(ModelConfig config, DType dtype) {
    return (dtype == DType.F32 ? 2 : 3) * ParameterShape.bytes(config, DType.F32);
  }

  /** One step with the gradients of all parameters. */
  public StepResult step(Gradients gradients, double learningRate) {
    backend.zero(norm);
    for (State state : states) {
      backend.sumSquares(norm, gradients.of(state.parameter()));
    }
    double[] sums = new double[2];
    backend.download(norm, sums, 0);
    double gradNorm = Math.sqrt(sums[0]);
    if (sums[1] > 0 || !Double.isFinite(gradNorm)) {
      return new StepResult(gradNorm, true);
    }
    double max = settings.maxGradNorm();
    float scale = max > 0 ? (float) Math.min(1, max / (gradNorm + 1e-6)) : 1;
    step++;
    AdamWSettings decayed = kernelSettings(learningRate, scale, settings.weightDecay());
    AdamWSettings undecayed = kernelSettings(learningRate, scale, 0);
    for (State state : states) {
      boolean decay = settings.decayVectors() || state.parameter().isMatrix();
      backend.adamw(state.parameter().weight(), state.master(), state.m(), state.v(), gradients.of(state.parameter()),
          decay ? decayed : undecayed);
    }
    return new StepResult(gradNorm, false);
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
    for (State state : states) {
      if (!state.hasOwnMaster()) {
        continue;
      }
      if (state.parameter().isMatrix()) {
        backend.castPacked(state.parameter().weight(), state.master());
      } else {
        backend.cast(state.parameter().weight(), state.master());
      }
    }
  }

  private void copyToMaster(Parameter parameter, Tensor master) {
    if (!parameter.isMatrix()) {
      backend.cast(master, parameter.weight());
      return;
    }
    long rows = parameter.weight().dim(0);
    long columns = parameter.weight().dim(1);
    // In slices: a whole unpacked fp32 head would be the largest tensor of the process.
    long slice = Math.max(1, (16L << 20) / columns);
    try (Tensor plain = backend.allocate(DType.F32, Layout.ROWS, Math.min(slice, rows), columns)) {
      for (long row = 0; row < rows; row += slice) {
        Tensor part = plain.rows(0, Math.min(slice, rows - row));
        backend.unpackRows(part, parameter.weight(), row);
        backend.packRows(master, row, part);
      }
    }
  }

  @Override
  public void close() {
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
