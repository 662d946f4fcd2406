package io.github.grpo4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Measurements as they come: lines of a table for people or JSON lines, and JSON lines for a file besides. */
final class BenchReport implements AutoCloseable {
  private final Terminal terminal = Terminal.detect();
  private final boolean json;
  private final PrintStream file;

  private BenchReport(boolean json, PrintStream file) {
    this.json = json;
    this.file = file;
  }

  /** @param out the file, whose folder is made, or null */
  static BenchReport open(boolean json, Path out) {
    try {
      if (out != null && out.getParent() != null) {
        Files.createDirectories(out.getParent());
      }
      return new BenchReport(json, out == null ? null : new PrintStream(Files.newOutputStream(out), true, StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Of the table alone. */
  void heading(String text) {
    if (!json) {
      terminal.line(terminal.bold(text));
    }
  }

  /** Of the table alone. */
  void note(String text) {
    if (!json) {
      terminal.line(terminal.dim(text));
    }
  }

  /** One measurement: the lines of a table that show it, and the same as JSON. */
  void result(ObjectNode object, String... lines) {
    if (json) {
      JsonLines.print(System.out, object);
    } else {
      for (String line : lines) {
        terminal.line(line);
      }
    }
    if (file != null) {
      JsonLines.print(file, object);
    }
  }

  @Override
  public void close() {
    if (file != null) {
      file.close();
    }
  }
}
