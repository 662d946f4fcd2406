package io.github.grpo4j.grpo.credit.advantage;

import io.github.grpo4j.grpo.credit.AdvantageEstimator;
import io.github.grpo4j.grpo.credit.Advantages;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.grpo.credit.StandardDeviation;
import io.github.grpo4j.grpo.credit.StatisticsGroups;
import io.github.grpo4j.options.Check;

/** {@code A = (R - mean_g) / (std_g + eps)}: GRPO (Shao et al., "DeepSeekMath", arXiv 2402.03300). */
public record GroupNormalized(StandardDeviation std, double eps) implements AdvantageEstimator {
  public GroupNormalized {
    Check.positive("eps", eps);
  }

  public GroupNormalized() {
    this(StandardDeviation.POPULATION, 1e-4);
  }

  @Override
  public Advantages estimate(RewardTable rewards, StatisticsGroups groups) {
    return Centred.of(rewards.totals(), groups, std, moments -> 1 / (moments.std() + eps));
  }
}
