package io.github.grpo4j.grpo.loss.aggregation;

import io.github.grpo4j.grpo.loss.Aggregation;
import io.github.grpo4j.grpo.loss.StepTotals;

/** {@code 1 / (sequences * tokens of the sequence)}: GRPO as published. Tokens of long completions count less. */
public record SequenceMean() implements Aggregation {
  @Override
  public double weight(int lossTokens, int bucket, StepTotals totals) {
    return 1.0 / ((double) totals.sequences() * lossTokens);
  }
}
