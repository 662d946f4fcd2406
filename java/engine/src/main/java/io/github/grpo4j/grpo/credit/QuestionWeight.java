package io.github.grpo4j.grpo.credit;

/**
 * Weighs advantages by how hard their question is: applied after normalisation, from accuracies and rewards before it. Kinds are
 * listed in {@code weighting.QuestionWeights}; implementations are records whose components are their configuration.
 */
public interface QuestionWeight {
  /**
   * Factor of each episode's advantage {@code [N]}. Episodes without reward count in no mean.
   *
   * @param rewards shaped, not normalised
   * @param advantages that will be multiplied; some weights differ with their sign
   */
  double[] weights(RewardTable rewards, double[] advantages);

  /** False if all weights are 1, so that there is nothing to report. */
  default boolean isUsed() {
    return true;
  }
}
