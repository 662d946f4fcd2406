package io.github.grpo4j.cli;

import java.io.File;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/**
 * The terminal that a person sits at, or a file or pipe. A line in progress is rewritten in place on a terminal and left out
 * elsewhere; colours follow {@code NO_COLOR} (no-color.org).
 */
final class Terminal implements AutoCloseable {
  private static final String CLEAR_LINE = "\r\u001B[K";
  private static final int USUAL_WIDTH = 120;
  private static final int BAR = 24;
  private static final long REDRAW_NANOS = 100_000_000L;

  private final PrintStream out;
  private final boolean interactive;
  private final boolean colours;
  private final int width;
  private long lastProgress;
  private boolean inProgress;

  Terminal(PrintStream out, boolean interactive, boolean colours, int width) {
    this.out = out;
    this.interactive = interactive;
    this.colours = colours;
    this.width = width;
  }

  static Terminal detect() {
    boolean interactive = isTerminal() && !"dumb".equals(System.getenv("TERM"));
    String noColour = System.getenv("NO_COLOR");
    return new Terminal(System.out, interactive, interactive && (noColour == null || noColour.isEmpty()), interactive ? columns() : USUAL_WIDTH);
  }

  /** Of standard output alone, which System.console() does not tell from standard input. */
  private static boolean isTerminal() {
    Path output = Path.of("/proc/self/fd/1");
    try {
      String device = Files.readSymbolicLink(output).toString();
      return device.startsWith("/dev/pts/") || device.startsWith("/dev/tty") || device.equals("/dev/console");
    } catch (IOException | UnsupportedOperationException e) {
      return System.console() != null;
    }
  }

  /** Where nobody looks on: no line in progress. */
  Terminal silent() {
    return new Terminal(out, false, false, width);
  }

  /** What the terminal says; shells keep COLUMNS to themselves. */
  private static int columns() {
    try {
      Process stty = new ProcessBuilder("stty", "size").redirectInput(new File("/dev/tty"))
          .redirectError(ProcessBuilder.Redirect.DISCARD).start();
      String[] size = new String(stty.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).strip().split(" ");
      return stty.waitFor(1, TimeUnit.SECONDS) && size.length == 2 ? Math.max(40, Integer.parseInt(size[1])) : USUAL_WIDTH;
    } catch (IOException | NumberFormatException e) {
      return USUAL_WIDTH;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return USUAL_WIDTH;
    }
  }

  int width() {
    return width;
  }

  void line(String text) {
    out.println((inProgress ? CLEAR_LINE : "") + text);
    inProgress = false;
  }

  /** Shows a line that the next one replaces. */
  void progress(String text) {
    if (interactive) {
      out.print(CLEAR_LINE + (text.length() < width ? text : text.substring(0, width - 1)));
      out.flush();
      inProgress = true;
    }
  }

  /** Takes the line in progress away. */
  @Override
  public void close() {
    if (inProgress) {
      out.print(CLEAR_LINE);
      out.flush();
      inProgress = false;
    }
  }

  /** Whether it is time to show progress again; more often would only cost time. */
  boolean redrawDue() {
    long now = System.nanoTime();
    if (!interactive || now - lastProgress < REDRAW_NANOS) {
      return false;
    }
    lastProgress = now;
    return true;
  }

  static String bar(double done, double total) {
    double share = total <= 0 ? 0 : Math.max(0, Math.min(1, done / total));
    int eighths = (int) Math.floor(share * BAR * 8);
    String part = eighths % 8 == 0 ? "" : String.valueOf("▏▎▍▌▋▊▉".charAt(eighths % 8 - 1));
    return "│" + "█".repeat(eighths / 8) + part + " ".repeat(BAR - eighths / 8 - part.length()) + "│";
  }

  /** For example 0:07, 12:30 or 3:05:00. */
  static String duration(double seconds) {
    long whole = Math.round(Math.max(0, seconds));
    return whole < 3600
        ? String.format(Locale.ROOT, "%d:%02d", whole / 60, whole % 60)
        : String.format(Locale.ROOT, "%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
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
