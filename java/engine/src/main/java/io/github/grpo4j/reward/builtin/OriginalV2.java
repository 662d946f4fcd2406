package io.github.grpo4j.reward.builtin;

import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.reward.Completion;
import java.util.List;

/**
 * {@code answer + penalty} as a descendant of GRPO-Zero computes it, defects included ({@link OriginalText}): 0 for the full format,
 * otherwise -0.1 if a think block is there and -0.5 if an answer block is there. The signs are as they were: no tags at all costs
 * nothing.
 */
public record OriginalV2() implements BoundedReward {
  @Override
  public List<Part> parts() {
    return BoundedReward.answerAndFormat(1);
  }

  @Override
  public Reward score(Completion completion) {
    OriginalText text = new OriginalText(completion);
    return reward(text.correct, text.fullFormat ? 0 : -text.partialFormat, text.fullFormat, text.answer);
  }
}
