/**
 * From advantages to the derivative of every token. A {@link io.github.grpo4j.grpo.loss.LossPipeline} is a list of
 * {@link io.github.grpo4j.grpo.loss.LossTerm}s and an {@link io.github.grpo4j.grpo.loss.Aggregation}; they work on the columns of one
 * {@link io.github.grpo4j.grpo.loss.TokenTable} for each optimizer step, in plain Java.
 */
package io.github.grpo4j.grpo.loss;
