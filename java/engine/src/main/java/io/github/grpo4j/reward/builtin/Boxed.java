package io.github.grpo4j.reward.builtin;

import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.reward.Completion;
import io.github.grpo4j.reward.parse.Answers;
import java.util.List;

/**
 * {@code answer + formatWeight * format} for responses that put the result in {@code \boxed{N}}, as in Minerva and most mathematics
 * data sets. The last box counts. Format is 1 if there is a complete box and the model ended by itself.
 *
 * @param formatWeight what keeping the format is worth; the right answer is worth 1
 */
public record Boxed(double formatWeight) implements BoundedReward {
  public Boxed {
    BoundedReward.checkWeight(formatWeight);
  }

  public Boxed() {
    this(0.1);
  }

  @Override
  public List<Part> parts() {
    return BoundedReward.answerAndFormat(formatWeight);
  }

  @Override
  public Reward score(Completion completion) {
    String answer = Answers.lastBoxed(completion.response());
    boolean whole = answer != null && completion.finished();
    return reward(Answers.match(answer, completion.finalGoldAnswer()), whole ? 1 : 0, whole, answer);
  }
}
