package io.github.grpo4j.optim;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.state.StepState;
import java.util.OptionalDouble;

/**
 * Factor on the loss of a model that is stored in fp16, divided out again before the optimizer (Micikevicius et al., "Mixed Precision
 * Training", 2017, arXiv:1710.03740). Gradients of activations below 6e-8 are nothing in fp16, and those above 65,504 are infinite; the
 * factor moves them into the range between. All factors that are found here are powers of two, so the factor itself rounds nothing.
 *
 * <p>A dynamic factor starts at {@value #START}. It is halved, down to {@value #LEAST}, when a gradient is not finite; that step is left
 * out. It is doubled, up to {@value #MOST}, after {@value #GROWTH_INTERVAL} steps in a row whose gradients were.
 */
public final class LossScaler implements StepState {
  /** The value of {@code training.loss_scale} for a dynamic factor. */
  public static final String DYNAMIC = "dynamic";
  /** And for none. */
  public static final String OFF = "off";

  static final double START = 1 << 16;
  static final double LEAST = 1;
  static final double MOST = 1 << 24;
  static final int GROWTH_INTERVAL = 2000;

  private final boolean isUsed;
  private final boolean isDynamic;
  private double scale;
  private int goodSteps;

  private LossScaler(boolean isUsed, boolean isDynamic, double scale) {
    this.isUsed = isUsed;
    this.isDynamic = isDynamic;
    this.scale = scale;
  }

  /** @param start first factor */
  public static LossScaler dynamic(double start) {
    return new LossScaler(true, true, start);
  }

  /** A factor that stays. A power of two rounds nothing. */
  public static LossScaler fixed(double scale) {
    return new LossScaler(true, false, scale);
  }

  /** The factor 1, for ever. */
  public static LossScaler off() {
    return new LossScaler(false, false, 1);
  }

  /**
   * What an option means for a model of that storage type: fp32 and bf16 have the range that a loss needs, so it means nothing for them.
   *
   * @param option {@link #DYNAMIC}, {@link #OFF} or a number above 0
   */
  public static LossScaler of(String option, DType dtype) {
    if (dtype != DType.F16 || option.equals(OFF)) {
      return off();
    }
    return option.equals(DYNAMIC) ? dynamic(START) : fixed(number(option).orElseThrow());
  }

  /** Whether {@link #of} understands it. */
  public static boolean isOption(String option) {
    return option.equals(DYNAMIC) || option.equals(OFF) || number(option).isPresent();
  }

  private static OptionalDouble number(String option) {
    try {
      double scale = Double.parseDouble(option);
      return scale > 0 && Double.isFinite(scale) ? OptionalDouble.of(scale) : OptionalDouble.empty();
    } catch (NumberFormatException e) {
      return OptionalDouble.empty();
    }
  }

  /** Whether there is a factor at all, and something to report. */
  public boolean isUsed() {
    return isUsed;
  }

  /** By which the derivative of the loss is multiplied in the next step, and the gradient divided. */
  public double scale() {
    return scale;
  }

  /** @param skipped whether the step just tried was left out because its gradient was not finite */
  public void update(boolean skipped) {
    if (!isDynamic) {
      return;
    }
    if (skipped) {
      scale = Math.max(LEAST, scale / 2);
      goodSteps = 0;
    } else if (++goodSteps == GROWTH_INTERVAL) {
      scale = Math.min(MOST, scale * 2);
      goodSteps = 0;
    }
  }

  @Override
  public String name() {
    return "loss_scale";
  }

  @Override
  public JsonNode save() {
    return JsonNodeFactory.instance.objectNode().put("scale", scale).put("good_steps", goodSteps);
  }

  /** A factor that is not dynamic stays what the configuration says. */
  @Override
  public void load(JsonNode state) {
    double saved = state.path("scale").asDouble(Double.NaN);
    int good = state.path("good_steps").asInt(-1);
    if (!(saved > 0 && Double.isFinite(saved)) || good < 0 || good >= GROWTH_INTERVAL) {
      throw new IllegalArgumentException("the loss scale of a checkpoint is " + state
          + "; it must have a scale above 0 and good_steps from 0 to " + (GROWTH_INTERVAL - 1));
    }
    if (isDynamic) {
      scale = saved;
      goodSteps = good;
    }
  }
}
