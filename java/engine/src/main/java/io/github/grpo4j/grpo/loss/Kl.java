package io.github.grpo4j.grpo.loss;

import io.github.grpo4j.backend.TokenLoss;

/**
 * The pull towards a frozen reference model: {@code coef * kl(new, ref)} is added to each token's loss. With
 * {@code d = ref - new} log-prob the estimators are (Schulman, "Approximating KL Divergence", 2020)
 *
 * <pre>
 * k1 = -d               unbiased value, may be negative; its gradient averages to 0, so use it as a metric
 * k2 = d^2 / 2          biased value, right gradient on-policy
 * k3 = exp(d) - d - 1   unbiased and never negative: DeepSeekMath, TRL
 * </pre>
 *
 * @param coef weight in the loss; 0: no reference model is needed
 * @param timesRatio multiplies the KL by the ratio, which makes value and gradient unbiased off-policy (DeepSeek-V3.2, arXiv
 *     2512.02556; TRL's {@code use_bias_correction_kl})
 */
public record Kl(TokenLoss.Kl estimator, double coef, boolean timesRatio) {
  public static final Kl NONE = new Kl(TokenLoss.Kl.NONE, 0, false);

  public Kl {
    if (!(coef >= 0) || Double.isInfinite(coef)) {
      throw new IllegalArgumentException("kl_coef is " + coef + "; it must be 0 or more");
    }
  }

  /** True if a reference model's log-probs are needed. */
  public boolean isUsed() {
    return estimator != TokenLoss.Kl.NONE && coef != 0;
  }

  /** The estimate for one token; d is clamped to +-{@value TokenObjective#LARGEST_LOG_RATIO}. */
  double value(double newLogprob, double refLogprob) {
    double d = TokenObjective.clampLogRatio(refLogprob - newLogprob);
    return switch (estimator) {
      case NONE -> 0;
      case K1 -> -d;
      case K2 -> d * d / 2;
      case K3 -> Math.expm1(d) - d;
    };
  }

  /** Its derivative with respect to the new log-prob. */
  double derivative(double newLogprob, double refLogprob) {
    double d = refLogprob - newLogprob;
    if (Math.abs(d) > TokenObjective.LARGEST_LOG_RATIO) {
      return 0;
    }
    return switch (estimator) {
      case NONE -> 0;
      case K1 -> 1;
      case K2 -> -d;
      case K3 -> -Math.expm1(d);
    };
  }
}
