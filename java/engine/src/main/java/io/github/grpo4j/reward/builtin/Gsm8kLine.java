package io.github.grpo4j.reward.builtin;

import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.reward.Completion;
import io.github.grpo4j.reward.parse.Answers;
import io.github.grpo4j.reward.parse.Numbers;
import java.util.List;

/**
 * {@code answer + formatWeight * format} for GSM8K's own form (Cobbe et al., arXiv 2110.14168): the last line is exactly
 * {@code #### N}, and the model ended there by itself. Without that form the answer is wrong too, so the format part is what tells a
 * near miss.
 *
 * @param formatWeight what keeping the format is worth; the right answer is worth 1
 */
public record Gsm8kLine(double formatWeight) implements BoundedReward {
  public Gsm8kLine {
    BoundedReward.checkWeight(formatWeight);
  }

  public Gsm8kLine() {
    this(0.1);
  }

  @Override
  public List<Part> parts() {
    return BoundedReward.answerAndFormat(formatWeight);
  }

  @Override
  public Reward score(Completion completion) {
    String answer = Answers.lastLine(completion.response());
    boolean whole = answer != null && completion.finished() && Numbers.only(answer) != null;
    return reward(whole && Answers.match(answer, completion.finalGoldAnswer()), whole ? 1 : 0, whole, answer);
  }
}
