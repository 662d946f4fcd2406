/**
 * How fast a model runs on this machine: generation, the training step, single kernels beside the machine's ceilings.
 *
 * <p>Work is of fixed size: prompts are random tokens, no completion ends early, and nothing is skipped. What is measured is what
 * {@code rollout} and {@code train} run, not a copy of it.
 */
package io.github.grpo4j.bench;
