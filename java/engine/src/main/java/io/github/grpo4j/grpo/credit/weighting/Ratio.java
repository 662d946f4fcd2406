package io.github.grpo4j.grpo.credit.weighting;

import io.github.grpo4j.grpo.credit.QuestionWeight;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.options.Check;
import java.util.Arrays;

/**
 * {@code w_q = clip(mean / (mean_q + 1e-6), min, max)}: a question with half the accuracy of the step counts twice. mean_q is the
 * question's accuracy (or mean reward), mean their average over the questions. The same study's second form, which took its means of
 * advantages and so never did anything; here they are taken before normalisation.
 *
 * <p>A ratio of numbers that are not positive says nothing: a question whose mean is below 1e-6 has weight 1, and so have all if the
 * overall mean is.
 *
 * @param measure what difficulty is measured by
 * @param min lower bound
 * @param max upper bound
 * @param renormalize scales the weights so that their mean over the step is 1
 */
public record Ratio(Measure measure, double min, double max, boolean renormalize) implements QuestionWeight {
  private static final double EPSILON = 1e-6;

  public Ratio {
    Check.notNegative("min", min);
    Check.that(max >= min && Double.isFinite(max), "max", max, "at least min, which is " + min);
  }

  public Ratio() {
    this(Measure.ACCURACY, 0.5, 2, false);
  }

  @Override
  public double[] weights(RewardTable rewards, double[] advantages) {
    double[] means = QuestionMeans.of(rewards, measure);
    double overall = QuestionMeans.overall(means);
    double[] weights = Arrays.stream(means).map(mean -> weight(mean, overall)).toArray();
    double[] perEpisode = QuestionMeans.perEpisode(weights, rewards);
    return renormalize ? QuestionMeans.renormalized(perEpisode, rewards) : perEpisode;
  }

  /** A mean that is NaN takes the first branch, too. */
  private double weight(double mean, double overall) {
    return mean >= EPSILON && overall >= EPSILON ? Math.max(min, Math.min(max, overall / (mean + EPSILON))) : 1;
  }
}
