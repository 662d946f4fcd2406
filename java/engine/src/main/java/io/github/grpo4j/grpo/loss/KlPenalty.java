package io.github.grpo4j.grpo.loss;

/**
 * How far the policy is from a frozen reference model, token by token: an estimate from the two log-probs of the token that was sampled, or
 * the exact divergence over the vocabulary.
 */
public interface KlPenalty {
  /** Where the penalty acts. */
  enum Where {
    /** A summand of every token's loss. */
    LOSS,
    /** A part of the reward: minus coef times the sum of k1 over the completion, before rewards are compared. */
    REWARD
  }

  /** Weight of the divergence; 0: no reference model is kept. */
  double coef();

  Where where();

  /**
   * Multiplies the divergence by the ratio, which makes value and gradient unbiased off-policy (DeepSeek-V3.2, arXiv 2512.02556; TRL's
   * {@code use_bias_correction_kl}).
   */
  default boolean timesRatio() {
    return false;
  }

  /** True for the divergence over the whole vocabulary: {@link TokenTable#exactKl} in place of an estimate. */
  default boolean isExact() {
    return false;
  }

  /** The estimate for one token. */
  double value(double newLogprob, double refLogprob);

  /** Its derivative with respect to the new log-prob. */
  double derivative(double newLogprob, double refLogprob);

  /** True if anything is to be done. */
  default boolean isUsed() {
    return coef() != 0;
  }
}
