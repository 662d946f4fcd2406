package io.github.grpo4j.grpo.credit.shaping;

import io.github.grpo4j.grpo.credit.Evidence;
import io.github.grpo4j.grpo.credit.RewardShaping;
import io.github.grpo4j.grpo.credit.RewardTable;
import java.util.Map;

/**
 * Truncated completions count in the statistics of their group and are not in the loss: overlong filtering of DAPO (arXiv 2503.14476),
 * {@code mask_truncated_completions} of TRL. Metric {@code overlong/masked}: their share.
 */
public record MaskTruncated() implements RewardShaping {
  @Override
  public RewardTable shape(RewardTable rewards, Evidence evidence, Map<String, Double> metrics) {
    boolean[] truncated = Truncated.of(rewards);
    Truncated.putShare(metrics, "overlong/masked", truncated);
    boolean[] masked = rewards.masked().clone();
    for (int i = 0; i < masked.length; i++) {
      masked[i] |= truncated[i];
    }
    return rewards.withMasked(masked);
  }
}
