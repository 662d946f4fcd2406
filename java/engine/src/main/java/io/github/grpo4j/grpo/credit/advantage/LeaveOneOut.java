package io.github.grpo4j.grpo.credit.advantage;

import io.github.grpo4j.grpo.credit.AdvantageEstimator;
import io.github.grpo4j.grpo.credit.Advantages;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.grpo.credit.StandardDeviation;
import io.github.grpo4j.grpo.credit.StatisticsGroups;

/**
 * {@code A = R - mean of the others = n / (n - 1) (R - mean_g)} for n completions: RLOO (Ahmadian et al., "Back to Basics", arXiv
 * 2402.14740). The baseline of a completion does not contain its own reward, so the gradient has no bias.
 */
public record LeaveOneOut() implements AdvantageEstimator {
  @Override
  public Advantages estimate(RewardTable rewards, StatisticsGroups groups) {
    return Centred.of(rewards.totals(), groups, StandardDeviation.SAMPLE,
        moments -> moments.count() < 2 ? 0 : moments.count() / (moments.count() - 1.0));
  }
}
