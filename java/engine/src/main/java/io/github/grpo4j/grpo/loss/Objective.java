package io.github.grpo4j.grpo.loss;

import io.github.grpo4j.backend.TokenLoss;

/**
 * The choices that make up a policy objective. For a token with ratio r, advantage A and bounds of its {@link Clipping}
 *
 * <pre>
 * loss_t = -min(min(r, ratioCap) A, clip(r, low, high) A)   for A &lt; 0 at most dualClip * |A|
 *          + kl.coef * kl(new, ref) - entropyCoef * H
 * loss   = sum_t weight_t * loss_t                          weights of the {@link Aggregation}
 * </pre>
 *
 * @param entropyCoef bonus for entropy, weighted like the token's loss
 * @param ratioCap two-sided clipping (INTELLECT-2, arXiv 2505.07291; TRL's {@code delta}), above 1 + clip_high; infinite: off
 * @param dualClip bound of the loss of bad tokens (Ye et al., arXiv 1912.09729), above 1; infinite: off
 */
public record Objective(
    Clipping clipping,
    Kl kl,
    Aggregation aggregation,
    ImportanceLevel importanceLevel,
    double entropyCoef,
    double ratioCap,
    double dualClip) {
  public Objective {
    if (!(ratioCap > 1)) {
      throw new IllegalArgumentException("ratio_cap is " + ratioCap + "; it must be above 1, or infinite to be off");
    }
    if (!(dualClip > 1)) {
      throw new IllegalArgumentException("dual_clip is " + dualClip + "; it must be above 1, or infinite to be off");
    }
    if (!Double.isFinite(entropyCoef)) {
      throw new IllegalArgumentException("entropy_coef is " + entropyCoef + "; it must be a number");
    }
    if (importanceLevel == ImportanceLevel.SEQUENCE && Double.isFinite(dualClip)) {
      throw new IllegalArgumentException("dual_clip bounds the loss of single tokens; with sequence-level ratios leave it off");
    }
  }

  /** An objective at token level without entropy bonus, cap or dual clip. */
  public static Objective of(Clipping clipping, Kl kl, Aggregation aggregation) {
    return new Objective(clipping, kl, aggregation, ImportanceLevel.TOKEN, 0, Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY);
  }

  /**
   * True if the fused kernel knows this objective. Otherwise {@link TokenObjective#evaluate} gives {@code dLogprob} from the
   * log-probs of a forward pass, and that is the kernel's weight ({@link TokenLoss#LINEAR}).
   */
  public boolean isFused() {
    return importanceLevel == ImportanceLevel.TOKEN;
  }

  /** The kernel's settings. */
  public TokenLoss toTokenLoss() {
    if (!isFused()) {
      return TokenLoss.LINEAR;
    }
    return new TokenLoss(TokenLoss.Kind.CLIPPED, kl.isUsed() ? kl.estimator() : TokenLoss.Kl.NONE, kl.timesRatio(), (float) kl.coef(),
        (float) entropyCoef, (float) ratioCap, (float) dualClip);
  }
}
