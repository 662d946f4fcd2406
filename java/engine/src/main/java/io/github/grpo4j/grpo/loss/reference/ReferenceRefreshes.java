package io.github.grpo4j.grpo.loss.reference;

import io.github.grpo4j.options.Registry;

/** The kinds of {@code grpo.reference_refresh}. */
public final class ReferenceRefreshes {
  public static final Registry<ReferenceRefresh> REGISTRY = Registry.of(ReferenceRefresh.class)
      .with("frozen", new Frozen())
      .with("reset", new Reset())
      .with("mix", new Mix());

  private ReferenceRefreshes() {}
}
