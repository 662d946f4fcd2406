package io.github.grpo4j.curriculum;

import io.github.grpo4j.options.Check;

/**
 * How a run takes note of the difficulty of problems: what all kinds that sort have in common.
 *
 * @param ema share of the latest accuracy in a problem's running one
 * @param dropSolvedAbove problems above it are left out of later passes; 0 leaves none out
 * @param refresh whether each pass is sorted anew
 */
record Difficulty(double ema, double dropSolvedAbove, boolean refresh) {
  /** Passes are long, so a problem is met seldom: its latest accuracy counts as much as all before it. */
  static final double EMA = 0.5;

  static void check(double ema, double dropSolvedAbove) {
    Check.that(ema > 0 && ema <= 1, "ema", ema, "above 0 and at most 1");
    Check.fraction("drop_solved_above", dropSolvedAbove);
  }

  static void checkWindow(int window) {
    Check.atLeast(1, "window", window);
  }
}
