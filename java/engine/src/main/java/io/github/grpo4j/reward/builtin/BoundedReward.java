package io.github.grpo4j.reward.builtin;

import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.episode.Verdict;
import io.github.grpo4j.options.Check;
import io.github.grpo4j.reward.Completion;
import io.github.grpo4j.reward.RewardFunction;
import java.util.List;

/** {@code answer + weight * format}, from one look at the text: what all rewards of this package are. */
interface BoundedReward extends RewardFunction {
  /** Answer of weight 1 and format of this weight. */
  static List<Part> answerAndFormat(double formatWeight) {
    return List.of(new Part(Reward.ANSWER, 1), new Part(Reward.FORMAT, formatWeight));
  }

  /** @param formatted whether the whole format is kept */
  default Reward reward(boolean correct, double format, boolean formatted, String extracted) {
    return reward(Reward.answerAndFormat(correct, format), new Verdict(correct, formatted, extracted));
  }

  static void checkWeight(double formatWeight) {
    Check.notNegative("format_weight", formatWeight);
  }

  @Override
  Reward score(Completion completion);

  @Override
  default boolean isBounded() {
    return true;
  }
}
