package com.example.variant;

import io.github.grpo4j.grpo.credit.AdvantageEstimator;
import io.github.grpo4j.grpo.credit.Advantages;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.grpo.credit.StatisticsGroups;
import java.util.Arrays;
import java.util.DoubleSummaryStatistics;

/**
 * {@code A = (R - mean_g) / (max_g - min_g)}: advantages between -1 and 1, however rare the right completion is. Made up for this example.
 */
public record RangeNormalized() implements AdvantageEstimator {
  @Override
  public Advantages estimate(RewardTable rewards, StatisticsGroups groups) {
    double[] totals = rewards.totals();
    // An episode without reward (NaN) counts nowhere and has advantage 0.
    DoubleSummaryStatistics[] statistics = Arrays.stream(groups.members())
        .map(members -> Arrays.stream(members).mapToDouble(i -> totals[i]).filter(Double::isFinite).summaryStatistics())
        .toArray(DoubleSummaryStatistics[]::new);
    double[] values = new double[totals.length];
    int flat = 0;
    for (int i = 0; i < values.length; i++) {
      DoubleSummaryStatistics group = statistics[groups.groupOf()[i]];
      double range = group.getMax() - group.getMin();
      if (range > 0) {
        values[i] = Double.isNaN(totals[i]) ? 0 : (totals[i] - group.getAverage()) / range;
      } else {
        flat++;
      }
    }
    return new Advantages(values, values.length == 0 ? 0 : (double) flat / values.length);
  }
}
