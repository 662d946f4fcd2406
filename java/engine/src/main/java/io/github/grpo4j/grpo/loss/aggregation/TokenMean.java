package io.github.grpo4j.grpo.loss.aggregation;

import io.github.grpo4j.grpo.loss.Aggregation;
import io.github.grpo4j.grpo.loss.StepTotals;

/** {@code 1 / tokens of the step}: DAPO (arXiv 2503.14476), GRPO-Zero. Every token counts alike. */
public record TokenMean() implements Aggregation {
  @Override
  public double weight(int lossTokens, int bucket, StepTotals totals) {
    return 1.0 / totals.tokens();
  }
}
