package io.github.grpo4j.grpo.credit;

/** What the sum of squared deviations of n values is divided by. */
public enum StandardDeviation {
  /** n - 1, as TRL and verl do. */
  SAMPLE,
  /** n, as GRPO-Zero does. */
  POPULATION
}
