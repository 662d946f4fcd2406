package io.github.grpo4j.grpo.loss.reference;

import io.github.grpo4j.options.Check;

/**
 * The policy itself becomes the reference every so many optimizer steps (ProRL, arXiv 2505.24864; TR-DPO's hard update, arXiv 2404.09656).
 */
public record Reset(int every) implements ReferenceRefresh {
  public Reset {
    Check.atLeast(1, "every", every);
  }

  public Reset() {
    this(512);
  }

  @Override
  public double share() {
    return 1;
  }
}
