package io.github.grpo4j.grpo.credit.weighting;

import io.github.grpo4j.grpo.credit.QuestionWeight;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.options.Check;
import java.util.Arrays;

/**
 * {@code w_q = (1 - accuracy_q)^gamma}: easy questions fade out, as in the focal loss. F-GRPO (arXiv 2602.06717).
 *
 * @param gamma how fast they do; 0: not at all
 */
public record Focal(double gamma) implements QuestionWeight {
  public Focal {
    Check.notNegative("gamma", gamma);
  }

  public Focal() {
    this(0.5);
  }

  @Override
  public double[] weights(RewardTable rewards, double[] advantages) {
    double[] accuracy = QuestionMeans.of(rewards, Measure.ACCURACY);
    return QuestionMeans.perEpisode(Arrays.stream(accuracy).map(acc -> Math.pow(1 - acc, gamma)).toArray(), rewards);
  }
}
