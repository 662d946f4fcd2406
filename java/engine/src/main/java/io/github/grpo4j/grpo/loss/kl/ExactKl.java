package io.github.grpo4j.grpo.loss.kl;

import io.github.grpo4j.grpo.loss.KlPenalty;
import io.github.grpo4j.options.Check;

/**
 * The divergence itself, {@code KL = sum_v pi(v) (log pi(v) - log ref(v))} over the vocabulary, with its gradient through every logit. The
 * reference model runs beside the policy in every micro-batch, so it costs a forward pass more than the estimates.
 */
public record ExactKl(double coef) implements KlPenalty {
  public ExactKl {
    Check.notNegative("coef", coef);
  }

  public ExactKl() {
    this(0);
  }

  @Override
  public Where where() {
    return Where.LOSS;
  }

  @Override
  public boolean isExact() {
    return true;
  }

  @Override
  public double value(double newLogprob, double refLogprob) {
    throw new UnsupportedOperationException("the exact divergence is not estimated from one token");
  }

  @Override
  public double derivative(double newLogprob, double refLogprob) {
    throw new UnsupportedOperationException("the exact divergence is not estimated from one token");
  }
}
