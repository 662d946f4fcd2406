package io.github.grpo4j.backend;

/**
 * What AdamW changes of one parameter: operands of {@link Backend#adamw}, of which m, v and a master of its own come from
 * {@link Backend#allocateHost}.
 */
public record AdamWState(Tensor weight, Tensor master, Tensor m, Tensor v) {}
