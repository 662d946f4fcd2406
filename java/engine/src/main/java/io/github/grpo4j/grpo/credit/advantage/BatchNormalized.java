package io.github.grpo4j.grpo.credit.advantage;

import io.github.grpo4j.grpo.credit.AdvantageEstimator;
import io.github.grpo4j.grpo.credit.Advantages;
import io.github.grpo4j.grpo.credit.Moments;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.grpo.credit.StandardDeviation;
import io.github.grpo4j.grpo.credit.StatisticsGroups;
import io.github.grpo4j.options.Check;

/**
 * {@code A = (R - mean_g) / (std + eps)} with the standard deviation of all rewards of the step: Lite PPO (arXiv 2508.08221). Groups
 * whose rewards differ little are not blown up.
 */
public record BatchNormalized(StandardDeviation std, double eps) implements AdvantageEstimator {
  public BatchNormalized {
    Check.positive("eps", eps);
  }

  public BatchNormalized() {
    this(StandardDeviation.POPULATION, 1e-4);
  }

  @Override
  public Advantages estimate(RewardTable rewards, StatisticsGroups groups) {
    double[] totals = rewards.totals();
    Moments all = Moments.of(totals, std);
    double[] values = Centred.of(totals, groups, std, ofGroup -> 1 / (all.std() + eps)).values();
    return new Advantages(values, all.isZero() ? 1 : 0);
  }
}
