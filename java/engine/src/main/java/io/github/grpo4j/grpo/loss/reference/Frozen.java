package io.github.grpo4j.grpo.loss.reference;

/** The reference is the model that the run began with, to the end: GRPO as published. */
public record Frozen() implements ReferenceRefresh {
  @Override
  public int every() {
    return 0;
  }

  @Override
  public double share() {
    return 0;
  }
}
