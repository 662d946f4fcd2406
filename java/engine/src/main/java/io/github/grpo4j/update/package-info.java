/**
 * One optimizer step: episodes with their advantages in, new weights out.
 *
 * <pre>
 *   Experience ── StepTable (columns of all tokens) ── MicroBatch ── GradientPass ── FusedLoss | TermsLoss ── gradient ── AdamW
 * </pre>
 *
 * Normalisers are sums over the whole step and divided once, so neither loss nor gradient depends on how the step is cut into
 * micro-batches. {@link io.github.grpo4j.update.ReferencePolicy} is the model that a KL penalty compares with.
 */
package io.github.grpo4j.update;
