package io.github.grpo4j.grpo.loss.surrogate;

import io.github.grpo4j.grpo.loss.ImportanceLevel;

/** The plain policy gradient, {@code loss = -r A}. Right for one update per rollout. */
public record Unclipped(ImportanceLevel level) implements ClippedSurrogate {
  public Unclipped() {
    this(ImportanceLevel.TOKEN);
  }

  @Override
  public float low(double oldLogprob) {
    return 0;
  }

  @Override
  public float high(double oldLogprob) {
    return Float.POSITIVE_INFINITY;
  }
}
