/**
 * Accuracy on held-out problems: the evaluations of a run, and those of {@code grpo4j eval}.
 *
 * <p>An {@link io.github.grpo4j.eval.Evaluation} opens what it needs, an {@link io.github.grpo4j.eval.Evaluator} measures. Its random
 * numbers are its own, so training is the same whether it is evaluated or not.
 */
package io.github.grpo4j.eval;
