package io.github.grpo4j.grpo.credit.weighting;

import io.github.grpo4j.grpo.credit.QuestionWeight;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.options.Check;

/**
 * {@code w(x) = min + (max - min) / (1 + exp(slope (x - midpoint)))} with the accuracy of the question as x where the advantage is
 * positive, and 1 - accuracy elsewhere: a right answer to a hard question and a wrong one to an easy question count most. GRPO-LEAD
 * (arXiv 2504.09696).
 *
 * @param min weight at the easy end
 * @param max weight at the hard end
 * @param slope of the step between them
 * @param midpoint where the step is
 */
public record Logistic(double min, double max, double slope, double midpoint) implements QuestionWeight {
  public Logistic {
    Check.notNegative("min", min);
    Check.that(max >= min && Double.isFinite(max), "max", max, "at least min, which is " + min);
    Check.positive("slope", slope);
    Check.finite("midpoint", midpoint);
  }

  public Logistic() {
    this(0.4, 1.5, 10, 0.75);
  }

  @Override
  public double[] weights(RewardTable rewards, double[] advantages) {
    double[] accuracy = QuestionMeans.of(rewards, Measure.ACCURACY);
    double[] weights = new double[advantages.length];
    for (int i = 0; i < weights.length; i++) {
      double ofQuestion = accuracy[rewards.group()[i]];
      double x = advantages[i] > 0 ? ofQuestion : 1 - ofQuestion;
      weights[i] = Double.isNaN(x) ? 1 : min + (max - min) / (1 + Math.exp(slope * (x - midpoint)));
    }
    return weights;
  }
}
