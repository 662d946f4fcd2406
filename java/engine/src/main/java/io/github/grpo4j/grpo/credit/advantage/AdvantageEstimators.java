package io.github.grpo4j.grpo.credit.advantage;

import io.github.grpo4j.grpo.credit.AdvantageEstimator;
import io.github.grpo4j.options.Registry;

/** The kinds of {@code grpo.advantage}. */
public final class AdvantageEstimators {
  public static final Registry<AdvantageEstimator> REGISTRY = Registry.of(AdvantageEstimator.class)
      .with("group", new GroupNormalized())
      .with("batch", new BatchNormalized())
      .with("none", new MeanCentred())
      .with("rloo", new LeaveOneOut())
      .with("normalize_then_sum", new NormalizedThenSummed());

  private AdvantageEstimators() {}
}
