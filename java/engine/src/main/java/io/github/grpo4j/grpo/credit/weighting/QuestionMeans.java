package io.github.grpo4j.grpo.credit.weighting;

import io.github.grpo4j.grpo.credit.RewardTable;
import java.util.Arrays;

/** How well the policy does at each question of a step. */
final class QuestionMeans {
  private QuestionMeans() {}

  /**
   * Mean of each question {@code [Q]} over its episodes with a reward; NaN for a question without any.
   *
   * @param measure what is averaged
   */
  static double[] of(RewardTable rewards, Measure measure) {
    double[] totals = rewards.totals();
    double[] values = measure == Measure.REWARD ? totals : rewards.correct();
    double[] sums = new double[rewards.groups()];
    int[] counts = new int[sums.length];
    for (int i = 0; i < values.length; i++) {
      if (!Double.isNaN(totals[i]) && Double.isFinite(values[i])) {
        sums[rewards.group()[i]] += values[i];
        counts[rewards.group()[i]]++;
      }
    }
    Arrays.setAll(sums, q -> counts[q] == 0 ? Double.NaN : sums[q] / counts[q]);
    return sums;
  }

  /** Mean over the questions that have one; each counts once, however many episodes it has. */
  static double overall(double[] means) {
    return Arrays.stream(means).filter(mean -> !Double.isNaN(mean)).average().orElse(Double.NaN);
  }

  /** The weight of each episode's question {@code [N]}; 1 where the question has none. */
  static double[] perEpisode(double[] weights, RewardTable rewards) {
    return Arrays.stream(rewards.group()).mapToDouble(q -> Double.isNaN(weights[q]) ? 1 : weights[q]).toArray();
  }

  /** Scaled so that the mean of |w| over all episodes with a reward is 1. */
  static double[] renormalized(double[] weights, RewardTable rewards) {
    boolean[] unscored = rewards.unscored();
    double sum = 0;
    int count = 0;
    for (int i = 0; i < weights.length; i++) {
      sum += unscored[i] ? 0 : Math.abs(weights[i]);
      count += unscored[i] ? 0 : 1;
    }
    double scale = sum == 0 ? 1 : count / sum;
    return Arrays.stream(weights).map(weight -> weight * scale).toArray();
  }
}
