package io.github.grpo4j.config;

import io.github.grpo4j.optim.LearningRateSchedule;
import io.github.grpo4j.options.Check;
import java.util.List;

/**
 * Supervised warm-up on worked solutions: the same update, with the log-likelihood of the solution in place of the reward. The
 * {@code sft} command uses this group instead of {@code optimizer} (but for its placement), and no rollout.
 *
 * @param steps optimizer steps
 * @param batchSize solutions a step
 * @param learningRate peak rate
 * @param betas decay of the first and second moment
 * @param weightDecay decoupled decay
 * @param maxGradNorm the gradient is scaled down to this global L2 norm; 0: off
 * @param warmupSteps steps of the linear warm-up; a straight line down follows
 * @param minLrRatio where the rate ends, as a share of the peak
 * @param slipShare synthetic problems: share of the solutions that are taught with a slip in them
 */
public record SftOptions(
    int steps,
    int batchSize,
    double learningRate,
    List<Double> betas,
    double weightDecay,
    double maxGradNorm,
    int warmupSteps,
    double minLrRatio,
    double slipShare) {
  static final SftOptions DEFAULTS = new SftOptions(1000, 32, 1e-5, List.of(0.9, 0.95), 0.01, 1, 30, 0.1, 0);

  public SftOptions {
    betas = List.copyOf(betas);
    Check.atLeast(1, "sft.steps", steps);
    Check.atLeast(1, "sft.batch_size", batchSize);
    Check.that(learningRate > 0 && Double.isFinite(learningRate), "sft.learning_rate", learningRate, "above 0");
    Check.that(betas.size() == 2 && betas.stream().allMatch(beta -> beta >= 0 && beta < 1), "sft.betas", betas,
        "two numbers from 0 to below 1, such as [0.9, 0.95]");
    Check.notNegative("sft.weight_decay", weightDecay);
    Check.notNegative("sft.max_grad_norm", maxGradNorm);
    Check.atLeast(0, "sft.warmup_steps", warmupSteps);
    Check.fraction("sft.min_lr_ratio", minLrRatio);
    Check.fraction("sft.slip_share", slipShare);
  }

  /** These settings as an optimizer, with its defaults for the rest. */
  public OptimizerOptions optimizer() {
    return new OptimizerOptions(learningRate, betas, OptimizerOptions.DEFAULTS.eps(), weightDecay, maxGradNorm,
        OptimizerOptions.Schedule.LINEAR, warmupSteps, minLrRatio, OptimizerOptions.DEFAULTS.placement());
  }

  public LearningRateSchedule schedule() {
    return optimizer().schedule(steps);
  }
}
