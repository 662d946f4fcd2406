package io.github.grpo4j.grpo.credit.advantage;

import io.github.grpo4j.grpo.credit.AdvantageEstimator;
import io.github.grpo4j.grpo.credit.Advantages;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.grpo.credit.StandardDeviation;
import io.github.grpo4j.grpo.credit.StatisticsGroups;

/**
 * {@code A = R - mean_g}: Dr. GRPO (arXiv 2503.20783). Dividing by the standard deviation favours questions that are very easy or very
 * hard.
 */
public record MeanCentred() implements AdvantageEstimator {
  @Override
  public Advantages estimate(RewardTable rewards, StatisticsGroups groups) {
    return Centred.of(rewards.totals(), groups, StandardDeviation.SAMPLE, moments -> 1);
  }
}
