package io.github.grpo4j.grpo.credit.weighting;

import io.github.grpo4j.grpo.credit.QuestionWeight;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.options.Check;
import java.util.Arrays;

/**
 * {@code w_q = clip(1 + mean - mean_q, min, max)}: a question below the average of the step counts more, one above it less. mean_q is
 * the question's accuracy (or mean reward), mean their average over the questions. Cross-group advantage normalisation of a public
 * study of GRPO on GSM8K, here on accuracy, which no term for the form can shift. Bounds as small as 0 and rewards of any sign will do.
 *
 * @param measure what difficulty is measured by
 * @param min lower bound
 * @param max upper bound
 * @param renormalize scales the weights so that their mean over the step is 1
 */
public record Additive(Measure measure, double min, double max, boolean renormalize) implements QuestionWeight {
  public Additive {
    Check.notNegative("min", min);
    Check.that(max >= min && Double.isFinite(max), "max", max, "at least min, which is " + min);
  }

  public Additive() {
    this(Measure.ACCURACY, 0.5, 2, false);
  }

  @Override
  public double[] weights(RewardTable rewards, double[] advantages) {
    double[] means = QuestionMeans.of(rewards, measure);
    double overall = QuestionMeans.overall(means);
    double[] weights = Arrays.stream(means).map(mean -> Math.max(min, Math.min(max, 1 + (overall - mean)))).toArray();
    double[] perEpisode = QuestionMeans.perEpisode(weights, rewards);
    return renormalize ? QuestionMeans.renormalized(perEpisode, rewards) : perEpisode;
  }
}
