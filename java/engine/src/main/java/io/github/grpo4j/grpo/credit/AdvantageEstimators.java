package io.github.grpo4j.grpo.credit;

import io.github.grpo4j.options.Registry;

/** The kinds of {@code grpo.advantage}. */
public final class AdvantageEstimators {
  public static final Registry<AdvantageEstimator> REGISTRY = Registry.of(AdvantageEstimator.class)
      .with("group", new AdvantageEstimator.GroupNormalized())
      .with("batch", new AdvantageEstimator.BatchNormalized())
      .with("none", new AdvantageEstimator.MeanCentred())
      .with("normalize_then_sum", new AdvantageEstimator.NormalizedThenSummed());

  private AdvantageEstimators() {}
}
