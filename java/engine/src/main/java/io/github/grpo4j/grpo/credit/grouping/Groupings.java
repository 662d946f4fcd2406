package io.github.grpo4j.grpo.credit.grouping;

import io.github.grpo4j.grpo.credit.Grouping;
import io.github.grpo4j.options.Registry;

/** The kinds of {@code grpo.grouping}. */
public final class Groupings {
  public static final Registry<Grouping> REGISTRY = Registry.of(Grouping.class)
      .with("question", new ByQuestion())
      .with("length_bucket", new ByLengthBucket());

  private Groupings() {}
}
