/**
 * Group-relative policy optimization: from rewards to advantages, and from advantages to the loss of each token.
 *
 * <p>Plain Java over small arrays; the one heavy computation, the loss's derivative with respect to logits, is the fused
 * kernel {@link io.github.grpo4j.backend.Backend#policyLoss}, which {@link io.github.grpo4j.grpo.loss.TokenObjective} mirrors and
 * is tested against.
 *
 * <pre>
 * rewards ─ CreditPipeline ─────▶ advantage per episode ─┐
 * lengths ─ Aggregation ────────▶ weight per token ──────┼─▶ Backend.policyLoss ─▶ d loss / d logits
 * old log-probs ─ Clipping ─────▶ bounds per token ──────┘        (Objective.toTokenLoss)
 * </pre>
 *
 * <p>Advantages, weights and bounds are computed once per optimizer step over all its episodes; cutting the step into
 * micro-batches afterwards changes neither loss nor gradient.
 */
package io.github.grpo4j.grpo;
