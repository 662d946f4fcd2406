package io.github.grpo4j.grpo.loss.kl;

import io.github.grpo4j.grpo.loss.KlPenalty;
import io.github.grpo4j.grpo.loss.Surrogate;
import io.github.grpo4j.options.Check;

/**
 * {@code k3 = exp(d) - d - 1}: unbiased and never negative (DeepSeekMath, arXiv 2402.03300; TRL). With {@code d = ref - new} log-prob,
 * clamped to +-{@value Surrogate#LARGEST_LOG_RATIO} (Schulman, "Approximating KL Divergence", 2020).
 */
public record K3(double coef, boolean timesRatio, Where where) implements KlPenalty {
  public K3 {
    Check.notNegative("coef", coef);
  }

  public K3() {
    this(0, true, Where.LOSS);
  }

  @Override
  public double value(double newLogprob, double refLogprob) {
    double d = Surrogate.clampLogRatio(refLogprob - newLogprob);
    return Math.expm1(d) - d;
  }

  @Override
  public double derivative(double newLogprob, double refLogprob) {
    double d = refLogprob - newLogprob;
    return Math.abs(d) > Surrogate.LARGEST_LOG_RATIO ? 0 : -Math.expm1(d);
  }
}
