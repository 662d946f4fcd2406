package io.github.grpo4j.reward;

import io.github.grpo4j.episode.Verdict;
import io.github.grpo4j.reward.parse.Answers;
import io.github.grpo4j.reward.parse.Tags;

/**
 * The verdict on an answer where no reward function gives one: it stands in an answer block after the thinking, else in a box, else on a
 * last line that begins with {@code ####}. The format is kept where it stands in one of them and the model ended by itself.
 */
final class AnswerPlaces {
  private AnswerPlaces() {}

  static Verdict judge(Completion completion) {
    String text = completion.textWithOpenedThinkBlock();
    String answer = Tags.lastAnswer(text);
    answer = answer == null ? Answers.lastBoxed(text) : answer;
    answer = answer == null ? Answers.lastLine(text) : answer;
    return new Verdict(Answers.match(answer, completion.finalGoldAnswer()), answer != null && completion.finished(), answer);
  }
}
