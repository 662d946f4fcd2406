package io.github.grpo4j.grpo.credit;

import java.util.Map;

/**
 * Changes rewards before they are compared: adds parts, smooths them, takes episodes out. Kinds are listed in
 * {@code shaping.Shapings}; implementations are records whose components are their configuration, and keep nothing.
 */
public interface RewardShaping {
  /**
   * The table to go on with; the same one if there is nothing to change. An episode without reward stays one.
   *
   * @param metrics takes what the shaping reports, by name
   */
  RewardTable shape(RewardTable rewards, Evidence evidence, Map<String, Double> metrics);

  /** True if {@link Evidence#referenceLogprobs} or hidden states of the reference are asked for, so that one must be kept. */
  default boolean needsReference() {
    return false;
  }
}
