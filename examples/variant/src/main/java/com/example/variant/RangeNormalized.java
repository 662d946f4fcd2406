package com.example.variant;

import io.github.grpo4j.grpo.credit.AdvantageEstimator;
import io.github.grpo4j.grpo.credit.Advantages;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.grpo.credit.StatisticsGroups;
import java.util.Arrays;

/**
 * {@code A = (R - mean_g) / (max_g - min_g)}: advantages between -1 and 1, however rare the right completion is. Made up for this example.
 */
public record RangeNormalized() implements AdvantageEstimator {
  @Override
  public Advantages estimate(RewardTable rewards, StatisticsGroups groups) {
    double[] totals = rewards.totals();
    double[] values = new double[totals.length];
    int flat = 0;
    for (int i = 0; i < totals.length; i++) {
      // An episode without reward (NaN) counts nowhere and has advantage 0.
      double[] group = Arrays.stream(groups.members()[groups.groupOf()[i]]).mapToDouble(member -> totals[member])
          .filter(reward -> !Double.isNaN(reward)).toArray();
      double range = group.length == 0 ? 0 : Arrays.stream(group).max().getAsDouble() - Arrays.stream(group).min().getAsDouble();
      flat += range == 0 ? 1 : 0;
      values[i] = range == 0 || Double.isNaN(totals[i]) ? 0 : (totals[i] - Arrays.stream(group).average().getAsDouble()) / range;
    }
    return new Advantages(values, totals.length == 0 ? 0 : (double) flat / totals.length);
  }
}
