/**
 * How much memory a run takes, before it takes it, and how much this machine has.
 *
 * <p>{@link io.github.grpo4j.memory.MemoryPlan} adds up what the configuration asks for. A run that does not fit is refused with the
 * options that change it.
 */
package io.github.grpo4j.memory;
