package io.github.grpo4j.grpo.credit.weighting;

import io.github.grpo4j.grpo.credit.QuestionWeight;
import io.github.grpo4j.grpo.credit.RewardTable;
import java.util.Arrays;

/** All questions count alike: {@code w = 1}. */
public record Unweighted() implements QuestionWeight {
  @Override
  public double[] weights(RewardTable rewards, double[] advantages) {
    double[] ones = new double[advantages.length];
    Arrays.fill(ones, 1);
    return ones;
  }

  @Override
  public boolean isUsed() {
    return false;
  }
}
