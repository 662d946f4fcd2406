package io.github.grpo4j.grpo.loss.kl;

import io.github.grpo4j.grpo.loss.KlPenalty;
import io.github.grpo4j.grpo.loss.Surrogate;
import io.github.grpo4j.options.Check;

/**
 * {@code k1 = -d}: unbiased and may be negative; its gradient averages to 0, so it serves as a metric or in the reward.
 * With {@code d = ref - new} log-prob, clamped to +-{@value Surrogate#LARGEST_LOG_RATIO} (Schulman, "Approximating KL Divergence", 2020).
 */
public record K1(double coef, boolean timesRatio, Where where) implements KlPenalty {
  public K1 {
    Check.notNegative("coef", coef);
  }

  public K1() {
    this(0, true, Where.LOSS);
  }

  @Override
  public double value(double newLogprob, double refLogprob) {
    double d = Surrogate.clampLogRatio(refLogprob - newLogprob);
    return -d;
  }

  @Override
  public double derivative(double newLogprob, double refLogprob) {
    double d = refLogprob - newLogprob;
    return Math.abs(d) > Surrogate.LARGEST_LOG_RATIO ? 0 : 1;
  }
}
