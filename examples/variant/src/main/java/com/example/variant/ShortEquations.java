package com.example.variant;

import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.reward.Completion;
import io.github.grpo4j.reward.RewardFunction;

/**
 * {@code 1 - characters / limit} of the longest equation: a small incentive to compute in steps. It has nothing to say of a completion without
 * any equation.
 *
 * @param limit characters from which on nothing is earned
 */
public record ShortEquations(int limit) implements RewardFunction {
  public ShortEquations() {
    this(20);
  }

  @Override
  public Reward score(Completion completion) {
    int longest = completion.response().lines().filter(line -> line.contains("=")).mapToInt(String::length).max().orElse(0);
    return longest == 0 ? Reward.NOT_APPLICABLE : Reward.of(Math.max(0, 1 - (double) longest / limit));
  }
}
