/**
 * Problems: where they are read from, how they are generated, in which order a run meets them.
 *
 * <pre>
 *   GSM8K .jsonl ─┐
 *   .parquet ─────┼─ DatasetReader ─┐
 *                                   ├─ Dataset ── EncodedPrompts ── BatchOrder ── the problems of step k
 *   SyntheticArithmetic ────────────┘
 * </pre>
 *
 * Nothing here keeps state between steps: BatchOrder is a function of seed and step number. Package curriculum has orders that learn.
 */
package io.github.grpo4j.data;
