package io.github.grpo4j.grpo.loss.surrogate;

import io.github.grpo4j.grpo.loss.ImportanceLevel;
import io.github.grpo4j.grpo.loss.Surrogate;

/**
 * The clipped loss of PPO (Schulman et al., "Proximal Policy Optimization", arXiv 1707.06347) with bounds of one's own choice:
 *
 * <pre>
 * loss = -min(min(r, ratioCap) A, clip(r, low, high) A)    for A &lt; 0 at most dualClip |A|
 * </pre>
 *
 * The fused kernel of the back ends knows this form, token by token.
 */
public interface ClippedSurrogate extends Surrogate {
  /** Lower bound of the ratio of a token. */
  float low(double oldLogprob);

  /** Upper bound of the ratio of a token. */
  float high(double oldLogprob);

  /** Two-sided clipping: cap of the unclipped ratio (INTELLECT-2, arXiv 2505.07291; TRL's {@code delta}); infinite is off. */
  default double capOfRatio() {
    return Double.POSITIVE_INFINITY;
  }

  /** Dual clip: upper bound c &gt; 1 on the loss of a token with negative advantage (Ye et al., arXiv 1912.09729); infinite is off. */
  default double boundOfLoss() {
    return Double.POSITIVE_INFINITY;
  }

  @Override
  default Value of(double ratio, double advantage, double oldLogprob) {
    double low = low(oldLogprob);
    double high = high(oldLogprob);
    double capped = Math.min(ratio, capOfRatio());
    double unclipped = capped * advantage;
    double clipped = Math.max(low, Math.min(high, ratio)) * advantage;
    // Inside the bounds both are the same number and the gradient is the unclipped one.
    boolean followsRatio = unclipped <= clipped && ratio <= capOfRatio();
    double loss = -Math.min(unclipped, clipped);
    if (advantage < 0 && loss > boundOfLoss() * -advantage) {
      loss = boundOfLoss() * -advantage;
      followsRatio = false;
    }
    return new Value(loss, followsRatio ? -advantage : 0, capped < low && advantage < 0, capped > high && advantage > 0);
  }

  /** 0 is off. */
  static double orInfinite(double bound) {
    return bound == 0 ? Double.POSITIVE_INFINITY : bound;
  }

  /** A bound on the loss of single tokens has no meaning for the ratio of a sequence. */
  static void requireTokenLevel(double dualClip, ImportanceLevel level) {
    if (dualClip != 0 && level == ImportanceLevel.SEQUENCE) {
      throw new IllegalArgumentException(
          "dual_clip is " + dualClip + "; it must be 0 with level sequence: it bounds the loss of single tokens");
    }
  }
}
