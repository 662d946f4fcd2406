package io.github.grpo4j.backend;

/**
 * The policy loss of one token as the fused kernel computes it; the formula stands at {@code g4_token_loss} in
 * {@code grpo4j/ops.h}. All tokens of a step share these settings; what differs from token to token (weight, advantage,
 * clip bounds, old and reference log-probs) is passed in arrays.
 *
 * @param kind how the derivative with respect to the token's log-prob is found
 * @param kl estimator of the KL divergence to the reference
 * @param klTimesRatio multiplies the KL by the ratio (an unbiased gradient when off-policy)
 * @param ratioCap upper cap of the unclipped ratio (two-sided clipping); {@code +Infinity} is off
 * @param dualClip most loss of a token with negative advantage, in units of {@code |A|}; {@code +Infinity} is off
 */
public record TokenLoss(Kind kind, Kl kl, boolean klTimesRatio, float klCoef, float entropyCoef, float ratioCap, float dualClip) {
  /** What {@code weight[t]} means. */
  public enum Kind {
    /** {@code weight[t]} is d loss / d log-prob itself: supervised training, or an objective computed in Java. */
    LINEAR(0),
    /** Ratio clipping with the token's bounds, times {@code weight[t]}. */
    CLIPPED(1);

    private final int code;

    Kind(int code) {
      this.code = code;
    }

    /** The code of this kind in the op catalogue. */
    public int code() {
      return code;
    }
  }

  /** KL estimators of Schulman, "Approximating KL Divergence" (2020). */
  public enum Kl {
    NONE(0),
    K1(1),
    K2(2),
    K3(3);

    private final int code;

    Kl(int code) {
      this.code = code;
    }

    /** The code of this estimator in the op catalogue. */
    public int code() {
      return code;
    }
  }

  /** d loss / d log-prob is given per token. */
  public static final TokenLoss LINEAR =
      new TokenLoss(Kind.LINEAR, Kl.NONE, false, 0, 0, Float.POSITIVE_INFINITY, Float.POSITIVE_INFINITY);
}
