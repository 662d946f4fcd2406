package io.github.grpo4j.jinja;

/** A template that is not valid, uses what is not supported, fails, or exceeds its budget. The message begins with the line. */
public final class JinjaException extends RuntimeException {
  public JinjaException(String message) {
    super(message);
  }

  JinjaException(int line, String message) {
    super("line " + line + ": " + message);
  }

  /** The same failure with its line in front, unless an inner expression has named its own already. */
  JinjaException at(int line) {
    return getMessage().startsWith("line ") ? this : new JinjaException(line, getMessage());
  }
}
