package io.github.grpo4j.grpo.loss.reference;

/** When the reference model follows the policy, and how far. */
public interface ReferenceRefresh {
  /** Optimizer steps from one refresh to the next; 0: never. */
  int every();

  /** Share of the policy's weights in the new reference: {@code ref = share policy + (1 - share) ref}. */
  double share();

  /** True if the reference's weights change during a run, so that a checkpoint must keep them. */
  default boolean changes() {
    return every() > 0;
  }

  /** True if a refresh falls between two counts of optimizer steps. A rollout has one reference, so it comes after its updates. */
  default boolean isDue(long before, long after) {
    return changes() && before / every() < after / every();
  }
}
