/**
 * What a completion is worth. A {@link io.github.grpo4j.reward.RewardFunction} turns a {@link io.github.grpo4j.reward.Completion} into
 * named parts; a {@link io.github.grpo4j.reward.RewardSet} weighs those of several functions, and gives each call a deadline.
 * {@link io.github.grpo4j.reward.AnswerRates} are reported whatever the reward.
 */
package io.github.grpo4j.reward;
