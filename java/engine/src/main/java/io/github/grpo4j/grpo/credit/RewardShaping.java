package io.github.grpo4j.grpo.credit;

/** Changes rewards before they are compared: adds parts, smooths them, takes episodes out. Implementations keep nothing. */
public interface RewardShaping {
  /** The table to go on with; the same one if there is nothing to change. */
  RewardTable shape(RewardTable rewards, Evidence evidence);

  /** True if {@link Evidence#referenceLogprobs} or hidden states of the reference are asked for, so that one must be kept. */
  default boolean needsReference() {
    return false;
  }
}
