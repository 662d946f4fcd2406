package io.github.grpo4j.grpo.loss.kl;

import io.github.grpo4j.grpo.loss.KlPenalty;
import io.github.grpo4j.options.Registry;

/** The kinds of {@code grpo.kl}. */
public final class KlPenalties {
  public static final Registry<KlPenalty> REGISTRY = Registry.of(KlPenalty.class)
      .with("k1", new K1())
      .with("k2", new K2())
      .with("k3", new K3())
      .with("exact", new ExactKl());

  private KlPenalties() {}
}
