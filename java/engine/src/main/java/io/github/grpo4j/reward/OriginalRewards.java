package io.github.grpo4j.reward;

import io.github.grpo4j.episode.Reward;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The rewards of GRPO-Zero and of its GSM8K descendants, defects included, to compare with results that were obtained with
 * them: thousands commas are not understood ("1,080" reads as 1 in the gold answer and as 80 in the response), "5-3" ends in
 * -3, only the first answer block counts, even inside the thinking, and extra nested tags pass the format check.
 *
 * <p>The think block is always taken as opened by the prompt.
 */
public final class OriginalRewards {
  private static final Pattern NUMBER = Pattern.compile("-?\\d++(?:\\.\\d++)?+");

  private OriginalRewards() {}

  /** {@code answer + 0.1 * format}, format as in {@link RewardFunctions#thinkAnswer} but with the lenient match. */
  public static RewardFunction v1() {
    return completion -> {
      String text = Tags.THINK_OPEN + completion.response();
      double format = fullFormat(text) ? 1 : RewardFunctions.partialFormat(text);
      String answer = Tags.firstAnswer(completion.response());
      boolean correct = matchesGold(answer, completion);
      return Reward.of((correct ? 1 : 0) + 0.1 * format, correct, format, answer);
    };
  }

  /**
   * {@code answer + penalty}: 0 for the full format, otherwise -0.1 if a think block is there and -0.5 if an answer block is
   * there. The signs are as they were: no tags at all costs nothing.
   */
  public static RewardFunction v2() {
    return completion -> {
      String text = Tags.THINK_OPEN + completion.response();
      double penalty = fullFormat(text) ? 0 : -RewardFunctions.partialFormat(text);
      String answer = Tags.firstAnswer(completion.response());
      boolean correct = matchesGold(answer, completion);
      return Reward.of((correct ? 1 : 0) + penalty, correct, penalty, answer);
    };
  }

  /** Equal to a lazy, anchored match of think block, newline, answer block, found without backtracking. */
  private static boolean fullFormat(String text) {
    String body = text.endsWith("\n") ? text.substring(0, text.length() - 1) : text;
    String border = Tags.THINK_CLOSE + "\n" + Tags.ANSWER_OPEN;
    int middle = body.indexOf(border, Tags.THINK_OPEN.length());
    return middle >= 0 && body.endsWith(Tags.ANSWER_CLOSE)
        && body.length() - Tags.ANSWER_CLOSE.length() >= middle + border.length();
  }

  private static boolean matchesGold(String answer, Completion completion) {
    if (answer == null) {
      return false;
    }
    Matcher gold = NUMBER.matcher(completion.finalGoldAnswer());
    Matcher numbers = NUMBER.matcher(answer);
    String last = null;
    while (numbers.find()) {
      last = numbers.group();
    }
    return last != null && gold.find() && Math.abs(Double.parseDouble(last) - Double.parseDouble(gold.group())) < 1e-6;
  }
}
