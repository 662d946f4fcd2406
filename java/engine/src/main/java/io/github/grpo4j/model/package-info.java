/**
 * A transformer of the Qwen2 or Llama family: weights, forward pass, backward pass written by hand beside it, KV cache.
 *
 * <pre>
 *   PackedBatch ── CausalLm ── TransformerLayer × n ── hidden states ── LossHead ── log-probs, loss, gradient
 *                                     │
 *                                  KvCache (decoding)
 * </pre>
 *
 * Sequences of a batch lie end to end, without padding. {@link io.github.grpo4j.model.ModelDirectory} reads and writes Hugging Face
 * directories. Nothing here knows of rewards or of reinforcement learning.
 */
package io.github.grpo4j.model;
