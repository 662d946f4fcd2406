/**
 * Group-relative policy optimization: from rewards to advantages ({@link io.github.grpo4j.grpo.credit}), and from advantages to the
 * derivative of each token ({@link io.github.grpo4j.grpo.loss}). Plain Java over small arrays.
 *
 * <pre>
 * rewards ─ CreditPipeline ─────▶ advantage of each episode ─┐
 * lengths ─ Aggregation ────────▶ weight of each token ──────┼─▶ TokenTable ─ LossTerms ─▶ d loss / d log-prob, entropy ─▶ logprobBackward
 * rollout ──────────────────────▶ old log-prob ──────────────┘        └─ FusedPolicyLoss, where the kernel knows the terms ─▶ policyLoss
 * </pre>
 *
 * <p>Advantages and weights are computed once per optimizer step over all its episodes; cutting the step into micro-batches afterwards
 * changes neither loss nor gradient. The terms define the loss. The fused kernel gives the same numbers, as a test holds, in one pass.
 */
package io.github.grpo4j.grpo;
