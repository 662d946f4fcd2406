package io.github.grpo4j.backend;

/**
 * Settings of one AdamW step (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2017).
 *
 * @param step number of this step, from 1; gives the bias corrections {@code 1 - beta^step}
 * @param gradScale factor on every gradient: the global-norm clip
 */
public record AdamWSettings(
    float learningRate, double beta1, double beta2, float epsilon, float weightDecay, long step, float gradScale) {}
