package io.github.grpo4j.cli;

import java.io.PrintStream;

/**
 * The terminal that a person sits at, or a file or pipe. A line in progress is rewritten in place on a terminal and left out
 * elsewhere; colours follow {@code NO_COLOR} (no-color.org).
 */
record Terminal(PrintStream out, boolean interactive, boolean colours, int width) {
  private static final String CLEAR_LINE = "\r\u001B[K";

  static Terminal detect() {
    boolean interactive = System.console() != null && !"dumb".equals(System.getenv("TERM"));
    boolean colours = interactive && System.getenv("NO_COLOR") == null;
    return new Terminal(System.out, interactive, colours, columns());
  }

  private static int columns() {
    String columns = System.getenv("COLUMNS");
    try {
      return columns == null ? 120 : Math.max(60, Integer.parseInt(columns.strip()));
    } catch (NumberFormatException e) {
      return 120;
    }
  }

  void line(String text) {
    out.println((interactive ? CLEAR_LINE : "") + text);
  }

  /** Shows a line that the next one replaces. */
  void progress(String text) {
    if (interactive) {
      out.print(CLEAR_LINE + (text.length() < width ? text : text.substring(0, width - 1)));
      out.flush();
    }
  }

  String bold(String text) {
    return styled("1", text);
  }

  String dim(String text) {
    return styled("2", text);
  }

  String green(String text) {
    return styled("32", text);
  }

  String yellow(String text) {
    return styled("33", text);
  }

  private String styled(String code, String text) {
    return colours ? "\u001B[" + code + "m" + text + "\u001B[0m" : text;
  }
}
