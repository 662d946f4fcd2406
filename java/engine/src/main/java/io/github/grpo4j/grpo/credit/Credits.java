package io.github.grpo4j.grpo.credit;

import java.util.Map;

/**
 * What each episode of a step is credited with: the end of the credit pipeline.
 *
 * @param advantages one per episode {@code [N]}, the same for all its tokens; 0 for an episode without reward
 * @param masked episodes whose tokens are in no loss and no normaliser {@code [N]}: those without reward and those that a shaping
 *     took out
 * @param fractionZeroStd share of the episodes whose group has no spread of rewards, where nothing is learnt
 *     ({@code frac_reward_zero_std})
 * @param metrics of the stages, by name, in a fixed order; empty where no stage has anything to report
 */
public record Credits(double[] advantages, boolean[] masked, double fractionZeroStd, Map<String, Double> metrics) {}
