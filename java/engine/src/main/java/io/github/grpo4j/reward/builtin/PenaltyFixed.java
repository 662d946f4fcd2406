package io.github.grpo4j.reward.builtin;

import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.reward.Completion;
import io.github.grpo4j.reward.parse.Answers;
import io.github.grpo4j.reward.parse.Tags;
import java.util.List;

/**
 * {@code answer + penalty}: -0.1 for a missing think block, -0.5 for a missing answer block. What {@link OriginalV2} was meant to be.
 */
public record PenaltyFixed() implements BoundedReward {
  @Override
  public List<Part> parts() {
    return BoundedReward.answerAndFormat(1);
  }

  @Override
  public Reward score(Completion completion) {
    String text = completion.textWithOpenedThinkBlock();
    double penalty = (Tags.hasBlock(text, Tags.THINK_OPEN, Tags.THINK_CLOSE) ? 0 : -0.1)
        + (Tags.hasBlock(text, Tags.ANSWER_OPEN, Tags.ANSWER_CLOSE) ? 0 : -0.5);
    String answer = Tags.lastAnswer(text);
    return reward(Answers.match(answer, completion.finalGoldAnswer()), penalty, penalty == 0, answer);
  }
}
