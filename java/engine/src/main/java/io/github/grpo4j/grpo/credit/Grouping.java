package io.github.grpo4j.grpo.credit;

/** Which episodes are compared with each other. */
public interface Grouping {
  /**
   * Index of the statistics group of each episode {@code [N]}, from 0 without gaps. Episodes of different questions never share one.
   */
  int[] groups(RewardTable rewards);
}
