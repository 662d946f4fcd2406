package io.github.grpo4j.grpo.credit.shaping;

import io.github.grpo4j.grpo.credit.Evidence;
import io.github.grpo4j.grpo.credit.RewardShaping;
import io.github.grpo4j.grpo.credit.RewardTable;
import java.util.Map;

/**
 * Truncated completions leave the statistics of their group and the loss, as if they had never been sampled: overlong filtering before
 * rewards are compared, {@code skip_unfinished_episodes} of GRPO-Zero. Metric {@code overlong/dropped}: their share.
 */
public record DropTruncated() implements RewardShaping {
  @Override
  public RewardTable shape(RewardTable rewards, Evidence evidence, Map<String, Double> metrics) {
    boolean[] truncated = Truncated.of(rewards);
    Truncated.putShare(metrics, "overlong/dropped", truncated);
    return rewards.without(truncated);
  }
}
