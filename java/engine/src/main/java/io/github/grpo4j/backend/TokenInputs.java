package io.github.grpo4j.backend;

/**
 * Per-token inputs of {@link Backend#policyLoss}, each F32 {@code [rows]}; those that the settings do not use are null.
 *
 * @param weight share of the token in the loss (1 / normaliser, 0 to leave it out)
 * @param oldLogprob null: on-policy, the ratio is 1 and has a gradient
 * @param clipLow lower bound of the ratio; null: none
 * @param clipHigh upper bound of the ratio; null: none
 */
public record TokenInputs(Tensor weight, Tensor advantage, Tensor oldLogprob, Tensor refLogprob, Tensor clipLow, Tensor clipHigh) {}
