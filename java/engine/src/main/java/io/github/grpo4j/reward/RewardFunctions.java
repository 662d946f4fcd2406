package io.github.grpo4j.reward;

import io.github.grpo4j.episode.Reward;
import java.math.BigDecimal;

/**
 * The built-in rewards. All of them compare the last number of the model's answer with the gold answer; they differ in where
 * the answer stands and in what keeping the form is worth.
 */
public final class RewardFunctions {
  private RewardFunctions() {}

  /**
   * {@code answer + formatWeight * format} for responses of the form {@code <think>…</think>\n<answer>N</answer>}: the
   * default for chat models (DeepSeek-R1, 2025, with the partial credit of GRPO-Zero).
   *
   * <p>The answer is the last number of the last complete answer block after the thinking. Format is 1 for exactly one think
   * block, a newline and one answer block; otherwise 0.1 if there is a think block plus 0.5 if there is an answer block.
   */
  public static RewardFunction thinkAnswer(double formatWeight) {
    return completion -> {
      String text = completion.textWithOpenedThinkBlock();
      double format = Tags.isThinkThenAnswer(text) ? 1.0 : partialFormat(text);
      String answer = Tags.lastAnswer(text);
      boolean correct = matchesGold(answer, completion);
      return Reward.of((correct ? 1 : 0) + formatWeight * format, correct, format, answer);
    };
  }

  /**
   * {@code answer + formatWeight * format} for responses that put the result in {@code \boxed{N}}, as in Minerva and most
   * mathematics data sets. The last box counts. Format is 1 if there is a complete box and the model ended by itself.
   */
  public static RewardFunction boxed(double formatWeight) {
    return completion -> {
      String answer = lastBoxed(completion.response());
      boolean correct = matchesGold(answer, completion);
      double format = answer != null && completion.finished() ? 1 : 0;
      return Reward.of((correct ? 1 : 0) + formatWeight * format, correct, format, answer);
    };
  }

  /**
   * {@code answer + formatWeight * format} for GSM8K's own form: the last line is exactly {@code #### N}, and the model ended
   * there by itself. Without that form the answer is wrong too, so the format part is what tells a near miss.
   */
  public static RewardFunction gsm8k(double formatWeight) {
    return completion -> {
      String text = completion.response();
      String line = text.substring(text.lastIndexOf('\n') + 1);
      String answer = line.startsWith("#### ") ? line.substring(5) : null;
      boolean wellFormed = answer != null && completion.finished() && Numbers.only(answer) != null;
      boolean correct = wellFormed && matchesGold(answer, completion);
      return Reward.of((correct ? 1 : 0) + (wellFormed ? formatWeight : 0), correct, wellFormed ? 1 : 0, answer);
    };
  }

  /**
   * {@code answer + penalty}: -0.1 for a missing think block, -0.5 for a missing answer block. What {@link OriginalRewards#v2}
   * was meant to be.
   */
  public static RewardFunction penaltyFixed() {
    return completion -> {
      String text = completion.textWithOpenedThinkBlock();
      double penalty = (Tags.hasBlock(text, Tags.THINK_OPEN, Tags.THINK_CLOSE) ? 0 : -0.1)
          + (Tags.hasBlock(text, Tags.ANSWER_OPEN, Tags.ANSWER_CLOSE) ? 0 : -0.5);
      String answer = Tags.lastAnswer(text);
      boolean correct = matchesGold(answer, completion);
      return Reward.of((correct ? 1 : 0) + penalty, correct, penalty, answer);
    };
  }

  static double partialFormat(String text) {
    return (Tags.hasBlock(text, Tags.THINK_OPEN, Tags.THINK_CLOSE) ? 0.1 : 0)
        + (Tags.hasBlock(text, Tags.ANSWER_OPEN, Tags.ANSWER_CLOSE) ? 0.5 : 0);
  }

  private static boolean matchesGold(String answer, Completion completion) {
    if (answer == null) {
      return false;
    }
    BigDecimal gold = Numbers.last(completion.finalGoldAnswer());
    return Numbers.equal(Numbers.last(answer), gold);
  }

  /** Content of the last {@code \boxed{…}} with balanced braces, or null. */
  private static String lastBoxed(String text) {
    int open = text.lastIndexOf("\\boxed{");
    if (open < 0) {
      return null;
    }
    int start = open + "\\boxed{".length();
    int depth = 1;
    for (int i = start; i < text.length(); i++) {
      char c = text.charAt(i);
      depth += c == '{' ? 1 : c == '}' ? -1 : 0;
      if (depth == 0) {
        return text.substring(start, i);
      }
    }
    return null;
  }
}
