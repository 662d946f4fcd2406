/** The rewards that a configuration can name, each a file, listed in {@link io.github.grpo4j.reward.builtin.RewardFunctions}. */
package io.github.grpo4j.reward.builtin;
