package io.github.grpo4j.grpo.loss.term;

import io.github.grpo4j.grpo.loss.LossTerm;
import io.github.grpo4j.options.Registry;

/** The kinds of {@code grpo.terms}: summands of the loss beside the policy's, the KL and the entropy bonus. None is built in. */
public final class LossTerms {
  public static final Registry<LossTerm> REGISTRY = Registry.of(LossTerm.class);

  private LossTerms() {}
}
