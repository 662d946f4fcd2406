package io.github.grpo4j.grpo.credit.shaping;

import io.github.grpo4j.grpo.credit.Evidence;
import io.github.grpo4j.grpo.credit.RewardShaping;
import io.github.grpo4j.grpo.credit.RewardTable;
import java.util.Map;

/** Rewards as they came. A truncated completion keeps its own, usually that of a wrong answer. */
public record Keep() implements RewardShaping {
  @Override
  public RewardTable shape(RewardTable rewards, Evidence evidence, Map<String, Double> metrics) {
    return rewards;
  }
}
