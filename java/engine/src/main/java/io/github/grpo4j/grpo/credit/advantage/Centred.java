package io.github.grpo4j.grpo.credit.advantage;

import io.github.grpo4j.grpo.credit.Advantages;
import io.github.grpo4j.grpo.credit.Moments;
import io.github.grpo4j.grpo.credit.StandardDeviation;
import io.github.grpo4j.grpo.credit.StatisticsGroups;
import java.util.function.ToDoubleFunction;

/** {@code A = (R - mean_g) * scale}: what most estimators have in common. */
final class Centred {
  private Centred() {}

  /**
   * @param totals reward of each episode, NaN without
   * @param scale from the moments of the episode's group
   */
  static Advantages of(double[] totals, StatisticsGroups groups, StandardDeviation std, ToDoubleFunction<Moments> scale) {
    Moments[] moments = groups.moments(totals, std);
    double[] values = new double[totals.length];
    int zero = 0;
    for (int i = 0; i < totals.length; i++) {
      values[i] = Double.isNaN(totals[i]) ? 0 : (totals[i] - moments[i].mean()) * scale.applyAsDouble(moments[i]);
      zero += moments[i].isZero() ? 1 : 0;
    }
    return new Advantages(values, totals.length == 0 ? 0 : (double) zero / totals.length);
  }
}
