package io.github.grpo4j.data;

/** What becomes of a problem whose prompt has more tokens than allowed. */
public enum OverlongPrompts {
  /** The run does not start; the message names the problem. */
  ERROR,
  /** The problem is left out and counted. */
  SKIP
}
