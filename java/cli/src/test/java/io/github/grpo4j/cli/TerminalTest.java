package io.github.grpo4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TerminalTest {
  @Test
  void barsAndDurations() {
    assertEquals("│" + " ".repeat(24) + "│", Terminal.bar(0, 7));
    assertEquals("│" + "█".repeat(24) + "│", Terminal.bar(9, 7));
    assertEquals(Terminal.bar(0, 0).length(), Terminal.bar(3.3, 7).length());
    assertEquals("0:07", Terminal.duration(7.4));
    assertEquals("12:30", Terminal.duration(750));
    assertEquals("3:05:00", Terminal.duration(11_100));
  }

  @Test
  void filesGetPlainLinesOnly() {
    assertEquals("one" + System.lineSeparator(), shown(false));
    assertTrue(shown(true).contains("\u001B[K") && shown(true).contains("half"));
  }

  private static String shown(boolean interactive) {
    ByteArrayOutputStream caught = new ByteArrayOutputStream();
    Terminal terminal = new Terminal(new PrintStream(caught, true, StandardCharsets.UTF_8), interactive, interactive, 80);
    terminal.progress("half");
    terminal.line(terminal.bold("one"));
    return caught.toString(StandardCharsets.UTF_8);
  }

  @Test
  void theTableIsAsWideAsTheTerminalAllows() {
    Map<String, Number> metrics = Map.of("reward", 0.5, "accuracy", 0.25, "step_time", 1.5, "learning_rate", 4e-4);
    for (int width = 40; width < 140; width += 5) {
      StepTable table = new StepTable(width);
      assertTrue(table.header().length() < width, table.header());
      assertEquals(table.header().length(), table.row(12, metrics).length());
      assertTrue(table.row(12, metrics).contains("25.0%"), "the share of right answers is always shown");
    }
    assertTrue(new StepTable(120).header().contains("lr"));
    assertFalse(new StepTable(80).header().contains("lr"));
  }
}
