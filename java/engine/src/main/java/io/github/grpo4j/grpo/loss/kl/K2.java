package io.github.grpo4j.grpo.loss.kl;

import io.github.grpo4j.grpo.loss.KlPenalty;
import io.github.grpo4j.grpo.loss.Surrogate;
import io.github.grpo4j.options.Check;

/**
 * {@code k2 = d^2 / 2}: a biased value with the right gradient on-policy. With {@code d = ref - new} log-prob,
 * clamped to +-{@value Surrogate#LARGEST_LOG_RATIO} (Schulman, "Approximating KL Divergence", 2020).
 */
public record K2(double coef, boolean timesRatio, Where where) implements KlPenalty {
  public K2 {
    Check.notNegative("coef", coef);
  }

  public K2() {
    this(0, true, Where.LOSS);
  }

  @Override
  public double value(double newLogprob, double refLogprob) {
    double d = Surrogate.clampLogRatio(refLogprob - newLogprob);
    return d * d / 2;
  }

  @Override
  public double derivative(double newLogprob, double refLogprob) {
    double d = refLogprob - newLogprob;
    return Math.abs(d) > Surrogate.LARGEST_LOG_RATIO ? 0 : -d;
  }
}
