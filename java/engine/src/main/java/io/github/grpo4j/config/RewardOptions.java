package io.github.grpo4j.config;

import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.options.Check;
import io.github.grpo4j.reward.OriginalRewards;
import io.github.grpo4j.reward.RewardFunction;
import io.github.grpo4j.reward.RewardFunctions;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What an answer is worth.
 *
 * @param kind where the answer stands in the text
 * @param formatWeight share of the format part in the reward; the right answer counts 1
 */
public record RewardOptions(Kind kind, double formatWeight) {
  /** The built-in rewards, see {@link RewardFunctions} and {@link OriginalRewards}. */
  public enum Kind {
    THINK_ANSWER,
    BOXED,
    GSM8K,
    PENALTY_FIXED,
    ORIGINAL_V1,
    ORIGINAL_V2
  }

  static final RewardOptions DEFAULTS = new RewardOptions(Kind.THINK_ANSWER, 0.1);

  public RewardOptions {
    Check.notNegative("reward.format_weight", formatWeight);
  }

  /** Factors of the components in the total, in the order in which they are added. */
  public Map<String, Double> weights() {
    Map<String, Double> weights = new LinkedHashMap<>();
    weights.put(Reward.ANSWER, 1.0);
    weights.put(Reward.FORMAT, switch (kind) {
      case THINK_ANSWER, BOXED, GSM8K -> formatWeight;
      case PENALTY_FIXED, ORIGINAL_V2 -> 1.0;
      case ORIGINAL_V1 -> 0.1;
    });
    return weights;
  }

  public RewardFunction function() {
    return switch (kind) {
      case THINK_ANSWER -> RewardFunctions.thinkAnswer(formatWeight);
      case BOXED -> RewardFunctions.boxed(formatWeight);
      case GSM8K -> RewardFunctions.gsm8k(formatWeight);
      case PENALTY_FIXED -> RewardFunctions.penaltyFixed();
      case ORIGINAL_V1 -> OriginalRewards.v1();
      case ORIGINAL_V2 -> OriginalRewards.v2();
    };
  }
}
