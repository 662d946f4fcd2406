package io.github.grpo4j.reward.builtin;

import io.github.grpo4j.reward.Completion;
import io.github.grpo4j.reward.parse.Tags;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A response as the rewards of GRPO-Zero and of its GSM8K descendants read it, defects included: thousands commas are not understood
 * ("1,080" reads as 1 in the gold answer and as 80 in the response), "5-3" ends in -3, only the first answer block counts, even inside the
 * thinking, and extra nested tags pass the format check.
 *
 * <p>The think block is always taken as opened by the prompt.
 */
final class OriginalText {
  private static final Pattern NUMBER = Pattern.compile("-?\\d++(?:\\.\\d++)?+");

  /** Content of the first answer block, or null. */
  final String answer;
  final boolean correct;
  final boolean fullFormat;
  /** Credit for single blocks. */
  final double partialFormat;

  OriginalText(Completion completion) {
    String text = Tags.THINK_OPEN + completion.response();
    this.answer = Tags.firstAnswer(completion.response());
    this.correct = answer != null && matches(answer, completion.finalGoldAnswer());
    this.fullFormat = fullFormat(text);
    this.partialFormat = Tags.partialFormat(text);
  }

  /** Equal to a lazy, anchored match of think block, newline, answer block, found without backtracking. */
  private static boolean fullFormat(String text) {
    String body = text.endsWith("\n") ? text.substring(0, text.length() - 1) : text;
    String border = Tags.THINK_CLOSE + "\n" + Tags.ANSWER_OPEN;
    int middle = body.indexOf(border, Tags.THINK_OPEN.length());
    return middle >= 0 && body.endsWith(Tags.ANSWER_CLOSE)
        && body.length() - Tags.ANSWER_CLOSE.length() >= middle + border.length();
  }

  private static boolean matches(String answer, String goldAnswer) {
    Matcher gold = NUMBER.matcher(goldAnswer);
    Matcher numbers = NUMBER.matcher(answer);
    String last = null;
    while (numbers.find()) {
      last = numbers.group();
    }
    return last != null && gold.find() && Math.abs(Double.parseDouble(last) - Double.parseDouble(gold.group())) < 1e-6;
  }
}
