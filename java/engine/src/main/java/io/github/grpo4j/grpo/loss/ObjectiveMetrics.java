package io.github.grpo4j.grpo.loss;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Sums over the tokens of an optimizer step that become metrics under TRL's names. Micro-batches are added up and divided
 * once, at the end, so the metrics do not depend on how the step was cut.
 *
 * <p>A token is clipped low if its advantage is negative and its ratio below the bound, high if positive and above: the tokens
 * whose gradient the clipping removes. With sequence-level ratios episodes are counted instead of tokens.
 */
public final class ObjectiveMetrics {
  private double loss;
  private double entropyBonus;
  private long tokens;
  private boolean hasKl;
  private double kl;
  private boolean hasEntropy;
  private double entropy;
  private long ratios;
  private long clippedLow;
  private long clippedHigh;
  private double lowMin = Double.POSITIVE_INFINITY;
  private double highMax = Double.NEGATIVE_INFINITY;

  void addLoss(double share) {
    loss += share;
  }

  void addToken(double weightedBonus, boolean klUsed, double tokenKl, boolean entropyKnown, double tokenEntropy) {
    tokens++;
    entropyBonus += weightedBonus;
    hasKl |= klUsed;
    kl += tokenKl;
    hasEntropy |= entropyKnown;
    entropy += tokenEntropy;
  }

  /** One episode's clip counts, out of {@code count} ratios. */
  void addClips(int count, int low, int high) {
    ratios += count;
    clippedLow += low;
    clippedHigh += high;
    lowMin = Math.min(lowMin, (double) low / Math.max(1, count));
    highMax = Math.max(highMax, (double) high / Math.max(1, count));
  }

  /** Adds the sums of another micro-batch of the same step. */
  public void add(ObjectiveMetrics other) {
    loss += other.loss;
    entropyBonus += other.entropyBonus;
    tokens += other.tokens;
    hasKl |= other.hasKl;
    kl += other.kl;
    hasEntropy |= other.hasEntropy;
    entropy += other.entropy;
    ratios += other.ratios;
    clippedLow += other.clippedLow;
    clippedHigh += other.clippedHigh;
    lowMin = Math.min(lowMin, other.lowMin);
    highMax = Math.max(highMax, other.highMax);
  }

  /** The loss of the step, entropy bonus included. */
  public double loss() {
    return loss;
  }

  public long tokens() {
    return tokens;
  }

  /** Metrics by TRL's names, in a fixed order; those that the objective does not have are left out. */
  public Map<String, Double> toMap() {
    Map<String, Double> map = new LinkedHashMap<>();
    map.put("loss", loss);
    if (entropyBonus != 0) {
      map.put("policy_loss", loss + entropyBonus);
    }
    if (hasKl) {
      map.put("kl", kl / Math.max(1, tokens));
    }
    if (hasEntropy) {
      map.put("entropy", entropy / Math.max(1, tokens));
    }
    double count = Math.max(1, ratios);
    map.put("clip_ratio/low_mean", clippedLow / count);
    map.put("clip_ratio/high_mean", clippedHigh / count);
    map.put("clip_ratio/region_mean", (clippedLow + clippedHigh) / count);
    map.put("clip_ratio/low_min", ratios == 0 ? 0 : lowMin);
    map.put("clip_ratio/high_max", ratios == 0 ? 0 : highMax);
    return map;
  }
}
