package io.github.grpo4j.grpo.loss.aggregation;

import io.github.grpo4j.grpo.loss.Aggregation;
import io.github.grpo4j.grpo.loss.StepTotals;
import io.github.grpo4j.options.Check;

/**
 * {@code 1 / (sequences * maxTokens)}: Dr. GRPO (arXiv 2503.20783). A constant, so that length has no influence at all.
 *
 * @param maxTokens 0: the length limit of a completion
 */
public record Constant(int maxTokens) implements Aggregation {
  public Constant {
    Check.atLeast(0, "max_tokens", maxTokens);
  }

  public Constant() {
    this(0);
  }

  @Override
  public double weight(int lossTokens, int bucket, StepTotals totals) {
    return 1.0 / ((double) totals.sequences() * (maxTokens == 0 ? totals.maxTokens() : maxTokens));
  }
}
