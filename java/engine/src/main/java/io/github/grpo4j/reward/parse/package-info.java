/**
 * Finds answers and numbers in what a model wrote. The text is adversarial input, written by a model that is trained to please the reward:
 * everything here takes time linear in its length, and numbers have a cap on their digits and exponent.
 */
package io.github.grpo4j.reward.parse;
