package io.github.grpo4j.reward.parse;

/** Answers in boxes and on last lines, and their comparison with the right answer. Each search walks the text once. */
public final class Answers {
  private static final String BOX = "\\boxed{";
  private static final String LINE = "#### ";

  private Answers() {}

  /** True if the last number of an answer is the last number of the right one. False without an answer. */
  public static boolean match(String answer, String gold) {
    return answer != null && Numbers.equal(Numbers.last(answer), Numbers.last(gold));
  }

  /** Content of the last {@code \boxed{…}} with balanced braces, or null. */
  public static String lastBoxed(String text) {
    int open = text.lastIndexOf(BOX);
    if (open < 0) {
      return null;
    }
    int start = open + BOX.length();
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

  /** What follows {@code ####} on the last line, or null if the line does not begin with it. */
  public static String lastLine(String text) {
    String line = text.substring(text.lastIndexOf('\n') + 1);
    return line.startsWith(LINE) ? line.substring(LINE.length()) : null;
  }
}
