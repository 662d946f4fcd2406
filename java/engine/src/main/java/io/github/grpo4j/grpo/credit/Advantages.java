package io.github.grpo4j.grpo.credit;

/**
 * What an {@link AdvantageEstimator} found.
 *
 * @param values one advantage per episode {@code [N]}, the same for all its tokens; 0 for an episode without reward
 * @param fractionZeroStd share of the episodes whose reward spread is 0, where nothing is learnt ({@code frac_reward_zero_std})
 */
public record Advantages(double[] values, double fractionZeroStd) {}
