package io.github.grpo4j.grpo.credit.weighting;

import io.github.grpo4j.grpo.credit.Moments;
import io.github.grpo4j.grpo.credit.QuestionWeight;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.grpo.credit.StandardDeviation;
import io.github.grpo4j.grpo.credit.StatisticsGroups;
import io.github.grpo4j.options.Check;
import java.util.Arrays;

/**
 * {@code w_q = K softmax_q(-accuracy_q / temperature)} over the K questions whose rewards differ: hard ones count more, and the mean
 * weight is 1. DGPO (MathForge, arXiv 2601.20614).
 *
 * <p>A question that nobody got right but whose rewards differ (in the form of the answers) counts as one that all got right. One whose
 * rewards are all equal has no advantage to weigh; its weight is 1.
 *
 * @param temperature small: the hardest question takes all
 */
public record Softmax(double temperature) implements QuestionWeight {
  public Softmax {
    Check.positive("temperature", temperature);
  }

  public Softmax() {
    this(2);
  }

  @Override
  public double[] weights(RewardTable rewards, double[] advantages) {
    double[] accuracy = QuestionMeans.of(rewards, Measure.ACCURACY);
    int[][] members = StatisticsGroups.by(rewards.group()).members();
    double[] totals = rewards.totals();
    double[] weights = new double[accuracy.length];
    double least = Double.POSITIVE_INFINITY;
    for (int q = 0; q < weights.length; q++) {
      boolean differ = !Double.isNaN(accuracy[q]) && Moments.of(totals, members[q], StandardDeviation.POPULATION).std() > 0;
      weights[q] = !differ ? Double.NaN : accuracy[q] == 0 ? 1 : accuracy[q];
      least = differ ? Math.min(least, weights[q]) : least;
    }
    double sum = 0;
    int count = 0;
    for (int q = 0; q < weights.length; q++) {
      if (!Double.isNaN(weights[q])) {
        weights[q] = Math.exp((least - weights[q]) / temperature);
        sum += weights[q];
        count++;
      }
    }
    double scale = count / sum;
    return QuestionMeans.perEpisode(Arrays.stream(weights).map(weight -> weight * scale).toArray(), rewards);
  }
}
