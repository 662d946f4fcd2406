package io.github.grpo4j.grpo.loss.surrogate;

import io.github.grpo4j.grpo.loss.LossMetrics;
import io.github.grpo4j.options.Check;

/**
 * Dynamic-adaptive clipping (DCPO, arXiv 2509.02333): bounds that depend on the probability q that a token had when it was sampled, so that
 * rare tokens may move further. From {@code |(r - 1) p| <= eps} with p = r q follow
 *
 * <pre>
 * low(q)  = 1/2 + 1/2 sqrt(max(1 - 4 low / q, 0))     at least lowFloor
 * high(q) = 1/2 + 1/2 sqrt(1 + 4 high / q)            at most cap
 * </pre>
 *
 * with {@code q = exp(old) + 1e-10}. For {@code q < 4 low} the inequality always holds below, so mathematically there is no lower bound;
 * DCPO floors it at 0.5 all the same.
 *
 * @param lowFloor the lower bound where the root is 0: 0.5, or 0 for none
 * @param cap of the upper bound, above 1; 0: none
 * @param dualClip as in {@link PpoClip}
 */
public record DynamicClip(double low, double high, double lowFloor, double cap, double dualClip) implements ClippedSurrogate {
  public DynamicClip {
    Check.notNegative("low", low);
    Check.notNegative("high", high);
    Check.that(lowFloor == 0 || lowFloor == 0.5, "low_floor", lowFloor, "0.5 or 0");
    Check.that(cap == 0 || cap > 1, "cap", cap, "above 1, or 0 to be off");
    Check.that(dualClip == 0 || dualClip > 1, "dual_clip", dualClip, "above 1, or 0 to be off");
  }

  /** The paper's values. */
  public DynamicClip() {
    this(0.16, 0.20, 0.5, 10, 10);
  }

  @Override
  public float low(double oldLogprob) {
    double inside = 1 - 4 * low / probability(oldLogprob);
    return (float) (inside <= 0 ? lowFloor : 0.5 + 0.5 * Math.sqrt(inside));
  }

  @Override
  public float high(double oldLogprob) {
    double bound = 0.5 + 0.5 * Math.sqrt(1 + 4 * high / probability(oldLogprob));
    return (float) (cap == 0 ? bound : Math.min(bound, cap));
  }

  /**
   * {@code clip_ratio/outside_low_mean} and {@code outside_high_mean}: shares of the tokens whose ratio is beyond a bound, whether its
   * gradient is removed there ({@code clip_ratio/low_mean}, {@code high_mean}) or leads back.
   */
  @Override
  public void report(double ratio, double advantage, double oldLogprob, LossMetrics metrics) {
    metrics.mean("clip_ratio/outside_low_mean", ratio < low(oldLogprob) ? 1 : 0, 1);
    metrics.mean("clip_ratio/outside_high_mean", ratio > high(oldLogprob) ? 1 : 0, 1);
  }

  private static double probability(double logprob) {
    return Math.exp(logprob) + 1e-10;
  }

  @Override
  public double boundOfLoss() {
    return ClippedSurrogate.orInfinite(dualClip);
  }
}
