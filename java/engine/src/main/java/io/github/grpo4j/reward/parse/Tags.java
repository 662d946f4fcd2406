package io.github.grpo4j.reward.parse;

/** Think and answer blocks in a response. All searches walk the text once; no regular expression can be made to backtrack. */
public final class Tags {
  public static final String THINK_OPEN = "<think>";
  public static final String THINK_CLOSE = "</think>";
  public static final String ANSWER_OPEN = "<answer>";
  public static final String ANSWER_CLOSE = "</answer>";

  private Tags() {}

  /** True if an opening tag is followed, anywhere later, by its closing tag. */
  public static boolean hasBlock(String text, String open, String close) {
    int start = text.indexOf(open);
    return start >= 0 && text.indexOf(close, start + open.length()) >= 0;
  }

  /** Content of the first answer block, or null. */
  public static String firstAnswer(String text) {
    int open = text.indexOf(ANSWER_OPEN);
    int close = open < 0 ? -1 : text.indexOf(ANSWER_CLOSE, open + ANSWER_OPEN.length());
    return close < 0 ? null : text.substring(open + ANSWER_OPEN.length(), close);
  }

  /**
   * Content of the last complete answer block that begins after the last {@code </think>}, or null. An answer inside the
   * thinking is a draft and does not count; without any {@code </think>} the whole text is searched.
   */
  public static String lastAnswer(String text) {
    int thinkEnd = text.lastIndexOf(THINK_CLOSE);
    int from = thinkEnd < 0 ? 0 : thinkEnd + THINK_CLOSE.length();
    int lastClose = text.lastIndexOf(ANSWER_CLOSE);
    int open = lastClose < 0 ? -1 : text.lastIndexOf(ANSWER_OPEN, lastClose);
    if (open < from) {
      return null;
    }
    int start = open + ANSWER_OPEN.length();
    return text.substring(start, text.indexOf(ANSWER_CLOSE, start));
  }

  /**
   * True if the text is one think block, one newline, one answer block and nothing else but surrounding white space: each
   * of the four tags occurs exactly once.
   */
  public static boolean isThinkThenAnswer(String text) {
    String body = text.strip();
    int thinkClose = body.indexOf(THINK_CLOSE);
    return body.startsWith(THINK_OPEN)
        && body.endsWith(ANSWER_CLOSE)
        && thinkClose > 0
        && body.startsWith("\n" + ANSWER_OPEN, thinkClose + THINK_CLOSE.length())
        && occursOnce(body, THINK_OPEN)
        && occursOnce(body, THINK_CLOSE)
        && occursOnce(body, ANSWER_OPEN)
        && occursOnce(body, ANSWER_CLOSE);
  }

  /** Credit for single blocks: 0.1 for a think block, 0.5 for an answer block. */
  public static double partialFormat(String text) {
    return (hasBlock(text, THINK_OPEN, THINK_CLOSE) ? 0.1 : 0) + (hasBlock(text, ANSWER_OPEN, ANSWER_CLOSE) ? 0.5 : 0);
  }

  private static boolean occursOnce(String text, String part) {
    int first = text.indexOf(part);
    return first >= 0 && text.indexOf(part, first + part.length()) < 0;
  }
}
