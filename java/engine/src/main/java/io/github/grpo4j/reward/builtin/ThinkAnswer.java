package io.github.grpo4j.reward.builtin;

import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.reward.Completion;
import io.github.grpo4j.reward.parse.Answers;
import io.github.grpo4j.reward.parse.Tags;
import java.util.List;

/**
 * {@code answer + formatWeight * format} for responses of the form {@code <think>…</think>\n<answer>N</answer>}: the default for
 * chat models (DeepSeek-R1, arXiv 2501.12948, with the partial credit of GRPO-Zero).
 *
 * <p>The answer is the last number of the last complete answer block after the thinking. Format is 1 for exactly one think block, a
 * newline and one answer block; otherwise 0.1 if there is a think block plus 0.5 if there is an answer block.
 *
 * @param formatWeight what keeping the format is worth; the right answer is worth 1
 */
public record ThinkAnswer(double formatWeight) implements BoundedReward {
  public ThinkAnswer {
    BoundedReward.checkWeight(formatWeight);
  }

  public ThinkAnswer() {
    this(0.1);
  }

  @Override
  public List<Part> parts() {
    return BoundedReward.answerAndFormat(formatWeight);
  }

  @Override
  public Reward score(Completion completion) {
    String text = completion.textWithOpenedThinkBlock();
    boolean whole = Tags.isThinkThenAnswer(text);
    String answer = Tags.lastAnswer(text);
    return reward(Answers.match(answer, completion.finalGoldAnswer()), whole ? 1 : Tags.partialFormat(text), whole, answer);
  }
}
