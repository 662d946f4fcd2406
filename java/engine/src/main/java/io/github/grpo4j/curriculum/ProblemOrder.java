package io.github.grpo4j.curriculum;

import java.util.Map;

/**
 * The order in which one run meets its problems. Problems are named by their position among those that the curriculum was opened
 * with. One that remembers more than the number of a step is a {@link io.github.grpo4j.state.StepState} too.
 */
public interface ProblemOrder {
  /**
   * Steps of a pass over all problems, the same from the first step to the last: the length of a run is known at its start, whatever
   * the order leaves out later.
   */
  int stepsPerEpoch();

  /**
   * Positions of the problems of a step, at least one.
   *
   * @param step from 0: the one that follows the last of {@link #done}. Asking changes nothing
   */
  int[] batch(long step);

  /**
   * A step is over.
   *
   * @param step from 0
   * @param accuracy share of right answers among the completions of each problem of {@code batch(step)}; NaN where none was scored
   */
  default void done(long step, double[] accuracy) {}

  /** What the order knows, as metrics by name in a fixed order; empty if that is nothing. */
  default Map<String, Number> metrics() {
    return Map.of();
  }
}
