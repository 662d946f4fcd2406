package io.github.grpo4j.grpo.credit;

/** Weighs advantages by how hard their question is: applied after normalisation, from accuracies and rewards before it. */
public interface QuestionWeight {
  /**
   * Factor of each episode's advantage {@code [N]}.
   *
   * @param rewards as they came, shaped
   * @param advantages that will be multiplied; some weights differ with their sign
   */
  double[] weights(RewardTable rewards, double[] advantages);
}
