package io.github.grpo4j.reward.builtin;

import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.reward.Completion;
import java.util.List;

/**
 * {@code answer + 0.1 * format} as GRPO-Zero computes it, defects included ({@link OriginalText}), to compare with results that were
 * obtained with it. Format as in {@link ThinkAnswer}, but with a lenient match.
 */
public record OriginalV1() implements BoundedReward {
  @Override
  public List<Part> parts() {
    return BoundedReward.answerAndFormat(0.1);
  }

  @Override
  public Reward score(Completion completion) {
    OriginalText text = new OriginalText(completion);
    return reward(text.correct, text.fullFormat ? 1 : text.partialFormat, text.fullFormat, text.answer);
  }
}
