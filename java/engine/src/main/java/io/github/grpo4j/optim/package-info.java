/**
 * From gradients to weights: AdamW in its placements, learning rate schedules, the loss scale of a model in fp16.
 */
package io.github.grpo4j.optim;
