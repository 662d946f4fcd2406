package io.github.grpo4j.grpo.credit.advantage;

import io.github.grpo4j.grpo.credit.AdvantageEstimator;
import io.github.grpo4j.grpo.credit.Advantages;
import io.github.grpo4j.grpo.credit.Moments;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.grpo.credit.StandardDeviation;
import io.github.grpo4j.grpo.credit.StatisticsGroups;
import io.github.grpo4j.options.Check;

/**
 * GDPO (arXiv 2601.05242): each part of the reward is normalised inside its group, {@code (r - mean_g) / (std_g + eps)}, and the
 * weighted sum of the parts is normalised over the step. A format reward cannot drown the answer this way.
 */
public record NormalizedThenSummed(StandardDeviation std, double eps) implements AdvantageEstimator {
  public NormalizedThenSummed {
    Check.positive("eps", eps);
  }

  public NormalizedThenSummed() {
    this(StandardDeviation.POPULATION, 1e-4);
  }

  @Override
  public Advantages estimate(RewardTable rewards, StatisticsGroups groups) {
    double[][] normalized = new double[rewards.episodes()][rewards.weights().length];
    for (int f = 0; f < rewards.weights().length; f++) {
      double[] column = rewards.column(f);
      Moments[] moments = groups.moments(column, std);
      for (int i = 0; i < column.length; i++) {
        normalized[i][f] = (column[i] - moments[i].mean()) / (moments[i].std() + eps);
      }
    }
    double[] sums = rewards.withParts(normalized).totals();
    Moments all = Moments.of(sums, std);
    double[] values = new double[sums.length];
    for (int i = 0; i < sums.length; i++) {
      values[i] = Double.isNaN(sums[i]) ? 0 : (sums[i] - all.mean()) / (all.std() + eps);
    }
    return new Advantages(values, all.isZero() ? 1 : 0);
  }
}
