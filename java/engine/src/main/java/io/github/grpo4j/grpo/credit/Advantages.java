package io.github.grpo4j.grpo.credit;

/**
 * What an {@link AdvantageEstimator} found.
 *
 * @param values one advantage per episode {@code [N]}; 0 for an episode without reward
 * @param fractionZeroStd share of the episodes whose rewards do not differ from those that they are compared with, where nothing is
 *     learnt
 */
public record Advantages(double[] values, double fractionZeroStd) {}
