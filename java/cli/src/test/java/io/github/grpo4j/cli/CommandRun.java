package io.github.grpo4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** A command line, run in this process with its output caught. */
record CommandRun(int code, String out, String err) {
  static CommandRun of(String... args) {
    PrintStream out = System.out;
    PrintStream err = System.err;
    ByteArrayOutputStream caughtOut = new ByteArrayOutputStream();
    ByteArrayOutputStream caughtErr = new ByteArrayOutputStream();
    try {
      System.setOut(new PrintStream(caughtOut, true, StandardCharsets.UTF_8));
      System.setErr(new PrintStream(caughtErr, true, StandardCharsets.UTF_8));
      int code = Main.run(args);
      return new CommandRun(code, caughtOut.toString(StandardCharsets.UTF_8), caughtErr.toString(StandardCharsets.UTF_8));
    } finally {
      System.setOut(out);
      System.setErr(err);
    }
  }

  /** One that must succeed. */
  static CommandRun ok(String... args) {
    CommandRun run = of(args);
    assertEquals(ExitCodes.OK, run.code, () -> String.join(" ", args) + " printed " + run.err);
    return run;
  }

  /** Standard output as objects, one a line. */
  List<ObjectNode> json() {
    return out.lines().map(line -> JsonLines.parse("output", line)).toList();
  }
}
