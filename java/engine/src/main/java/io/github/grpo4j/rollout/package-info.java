/**
 * Sampling: prompts in, episodes out.
 *
 * <pre>
 *   RolloutRequest ── PromptGroup (prompt, prefilled once) ── Sequence × n ── DecodeSteps ── Episode
 * </pre>
 *
 * {@link io.github.grpo4j.rollout.Generator} batches continuously: the place of a sequence that ended goes to the next one. A completion
 * is the same whatever else is in the batch. Nothing here knows of rewards.
 */
package io.github.grpo4j.rollout;
