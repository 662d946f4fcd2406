package io.github.grpo4j.jinja;

/**
 * What one rendering may use up: evaluated nodes, characters and list elements made or looked through, nested calls. Counted
 * rather than timed, so that a template fails everywhere or nowhere; a template that uses up everything takes about a second.
 *
 * <p>Long chat templates take a few hundred steps a message, so the limits leave room for thousands of messages.
 */
final class Budget {
  private static final int STEPS = 1_000_000;
  private static final long CHARACTERS = 64L << 20;
  private static final int CALL_DEPTH = 50;

  private int steps;
  private long characters;
  private int depth;

  void step() {
    if (++steps > STEPS) {
      throw new JinjaException("the template takes more than " + STEPS + " steps");
    }
  }

  /** Accounts for a string or list of this size, before it is built or gone through. */
  void spend(long size) {
    characters += size;
    if (size < 0 || characters > CHARACTERS) {
      throw new JinjaException("the template works through more than " + CHARACTERS + " characters");
    }
  }

  void enterCall() {
    if (++depth > CALL_DEPTH) {
      throw new JinjaException("macros call each other more than " + CALL_DEPTH + " deep");
    }
  }

  void leaveCall() {
    depth--;
  }
}
