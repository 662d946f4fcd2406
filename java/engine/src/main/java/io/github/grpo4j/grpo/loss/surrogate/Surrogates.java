package io.github.grpo4j.grpo.loss.surrogate;

import io.github.grpo4j.grpo.loss.Surrogate;
import io.github.grpo4j.options.Registry;

/** The kinds of {@code grpo.surrogate}. */
public final class Surrogates {
  public static final Registry<Surrogate> REGISTRY = Registry.of(Surrogate.class)
      .with("none", new Unclipped())
      .with("ppo", new PpoClip())
      .with("dynamic", new DynamicClip());

  private Surrogates() {}
}
