package io.github.grpo4j.grpo.loss.reference;

import io.github.grpo4j.options.Check;

/**
 * The reference moves towards the policy every so many optimizer steps: {@code ref = alpha policy + (1 - alpha) ref} (TR-DPO's soft update,
 * arXiv 2404.09656, with the defaults of TRL).
 */
public record Mix(double alpha, int every) implements ReferenceRefresh {
  public Mix {
    Check.that(alpha > 0 && alpha <= 1, "alpha", alpha, "above 0 and at most 1");
    Check.atLeast(1, "every", every);
  }

  public Mix() {
    this(0.6, 512);
  }

  @Override
  public double share() {
    return alpha;
  }
}
