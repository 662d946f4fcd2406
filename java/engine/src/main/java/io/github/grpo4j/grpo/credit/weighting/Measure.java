package io.github.grpo4j.grpo.credit.weighting;

/** By what the difficulty of a question is measured. */
public enum Measure {
  /** Share of right answers, whatever the reward says of their form. */
  ACCURACY,
  /** Mean reward. */
  REWARD
}
