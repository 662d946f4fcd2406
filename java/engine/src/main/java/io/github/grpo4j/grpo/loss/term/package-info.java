/** Summands of the loss: the policy's, the KL penalty, the entropy bonus. */
package io.github.grpo4j.grpo.loss.term;
