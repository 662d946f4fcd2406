/**
 * What an answer is worth. A {@link io.github.grpo4j.reward.RewardFunction} turns a {@link io.github.grpo4j.reward.Completion}
 * into a {@link io.github.grpo4j.episode.Reward}; {@link io.github.grpo4j.reward.RewardFunctions} holds the built-in ones.
 *
 * <p>A completion is written by a model that is being trained to please the reward: it is adversarial input. Everything
 * here takes time linear in the text's length, and numbers have a cap on their digits and exponent.
 */
package io.github.grpo4j.reward;
