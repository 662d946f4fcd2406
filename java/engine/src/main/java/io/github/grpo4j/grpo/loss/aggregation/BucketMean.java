package io.github.grpo4j.grpo.loss.aggregation;

import io.github.grpo4j.grpo.loss.Aggregation;
import io.github.grpo4j.grpo.loss.StepTotals;

/**
 * {@code 1 / (buckets present * tokens of the bucket)}: the mean over short, medium and long completions
 * ({@link io.github.grpo4j.grpo.credit.grouping.LengthBuckets}) of the mean over their tokens. Each length counts alike, however many
 * tokens it has. Token counts are those of the whole step, so the loss does not depend on micro-batches.
 */
public record BucketMean() implements Aggregation {
  @Override
  public double weight(int lossTokens, int bucket, StepTotals totals) {
    return 1.0 / ((double) totals.presentBuckets() * totals.bucketTokens()[bucket]);
  }
}
