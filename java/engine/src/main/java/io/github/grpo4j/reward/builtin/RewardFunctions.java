package io.github.grpo4j.reward.builtin;

import io.github.grpo4j.options.Registry;
import io.github.grpo4j.reward.RewardFunction;

/** The kinds of {@code reward.function}. */
public final class RewardFunctions {
  public static final Registry<RewardFunction> REGISTRY = Registry.of(RewardFunction.class)
      .with("think_answer", new ThinkAnswer())
      .with("boxed", new Boxed())
      .with("gsm8k", new Gsm8kLine())
      .with("penalty_fixed", new PenaltyFixed())
      .with("original_v1", new OriginalV1())
      .with("original_v2", new OriginalV2());

  private RewardFunctions() {}
}
