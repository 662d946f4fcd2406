package io.github.grpo4j.grpo.loss.surrogate;

import io.github.grpo4j.grpo.loss.ImportanceLevel;
import io.github.grpo4j.options.Check;

/**
 * The same bounds {@code [1 - low, 1 + high]} for all tokens (PPO); {@code high > low} is DAPO's clip-higher (arXiv 2503.14476), level
 * sequence is GSPO (arXiv 2507.18071).
 *
 * @param ratioCap cap of the unclipped ratio, above 1 + high; 0: off
 * @param dualClip upper bound on the loss of a token with negative advantage, in units of |A|, above 1; 0: off
 */
public record PpoClip(double low, double high, double ratioCap, double dualClip, ImportanceLevel level) implements ClippedSurrogate {
  public PpoClip {
    Check.fraction("low", low);
    Check.notNegative("high", high);
    Check.that(ratioCap == 0 || ratioCap > 1 + high, "ratio_cap", ratioCap, "above 1 + high, or 0 to be off");
    Check.that(dualClip == 0 || dualClip > 1, "dual_clip", dualClip, "above 1, or 0 to be off");
    ClippedSurrogate.requireTokenLevel(dualClip, level);
  }

  public PpoClip(double low, double high) {
    this(low, high, 0, 0, ImportanceLevel.TOKEN);
  }

  public PpoClip() {
    this(0.2, 0.2);
  }

  @Override
  public float low(double oldLogprob) {
    return (float) (1 - low);
  }

  @Override
  public float high(double oldLogprob) {
    return (float) (1 + high);
  }

  @Override
  public double capOfRatio() {
    return ClippedSurrogate.orInfinite(ratioCap);
  }

  @Override
  public double boundOfLoss() {
    return ClippedSurrogate.orInfinite(dualClip);
  }
}
