package io.github.grpo4j.grpo.loss.aggregation;

import io.github.grpo4j.grpo.loss.Aggregation;
import io.github.grpo4j.options.Registry;

/** The kinds of {@code grpo.aggregation}. */
public final class Aggregations {
  public static final Registry<Aggregation> REGISTRY = Registry.of(Aggregation.class)
      .with("token_mean", new TokenMean())
      .with("sequence_mean", new SequenceMean())
      .with("sequence_sum", new SequenceSum())
      .with("constant", new Constant())
      .with("bucket_mean", new BucketMean());

  private Aggregations() {}
}
