package io.github.grpo4j.grpo.loss.aggregation;

import io.github.grpo4j.grpo.loss.Aggregation;
import io.github.grpo4j.grpo.loss.StepTotals;

/** {@code 1 / sequences}: the mean over sequences of the sum over tokens. With sequence-level ratios this is LUSPO (arXiv 2602.05261). */
public record SequenceSum() implements Aggregation {
  @Override
  public double weight(int lossTokens, int bucket, StepTotals totals) {
    return 1.0 / totals.sequences();
  }
}
