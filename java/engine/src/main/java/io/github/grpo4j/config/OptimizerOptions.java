package io.github.grpo4j.config;

import io.github.grpo4j.optim.AdamW;
import io.github.grpo4j.optim.LearningRateSchedule;
import io.github.grpo4j.options.Check;
import java.util.List;

/**
 * AdamW and its learning rate.
 *
 * @param learningRate peak rate
 * @param betas decay of the first and second moment
 * @param eps added to the root of the second moment
 * @param weightDecay decoupled decay
 * @param maxGradNorm the gradient is scaled down to this global L2 norm; 0: off
 * @param schedule what the rate does after the warm-up
 * @param warmupSteps steps of the linear warm-up
 * @param minLrRatio where a linear or cosine schedule ends, as a share of the peak
 * @param placement where the states lie and who updates them; changes memory and speed, not the result
 */
public record OptimizerOptions(
    double learningRate,
    List<Double> betas,
    double eps,
    double weightDecay,
    double maxGradNorm,
    Schedule schedule,
    int warmupSteps,
    double minLrRatio,
    AdamW.Placement placement) {
  /** Names of the {@link LearningRateSchedule}s. */
  public enum Schedule {
    CONSTANT,
    LINEAR,
    COSINE
  }

  static final OptimizerOptions DEFAULTS = new OptimizerOptions(
      1e-6, List.of(0.9, 0.999), 1e-8, 0, 1, Schedule.CONSTANT, 0, 0, AdamW.Placement.DEVICE);

  public OptimizerOptions {
    betas = List.copyOf(betas);
    Check.that(learningRate > 0 && Double.isFinite(learningRate), "optimizer.learning_rate", learningRate, "above 0");
    Check.that(betas.size() == 2 && betas.stream().allMatch(beta -> beta >= 0 && beta < 1), "optimizer.betas", betas,
        "two numbers from 0 to below 1, such as [0.9, 0.999]");
    Check.that(eps > 0 && Double.isFinite(eps), "optimizer.eps", eps, "above 0");
    Check.notNegative("optimizer.weight_decay", weightDecay);
    Check.notNegative("optimizer.max_grad_norm", maxGradNorm);
    Check.atLeast(0, "optimizer.warmup_steps", warmupSteps);
    Check.fraction("optimizer.min_lr_ratio", minLrRatio);
  }

  /** The rate of each optimizer step of a run of {@code totalSteps}. */
  public LearningRateSchedule schedule(long totalSteps) {
    return switch (schedule) {
      case CONSTANT -> new LearningRateSchedule.Constant(learningRate, warmupSteps);
      case LINEAR -> new LearningRateSchedule.Linear(learningRate, warmupSteps, totalSteps, minLrRatio);
      case COSINE -> new LearningRateSchedule.Cosine(learningRate, warmupSteps, totalSteps, minLrRatio);
    };
  }
}
