package io.github.grpo4j.grpo.credit.shaping;

import io.github.grpo4j.grpo.credit.Evidence;
import io.github.grpo4j.grpo.credit.Moments;
import io.github.grpo4j.grpo.credit.RewardShaping;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.grpo.credit.StandardDeviation;
import io.github.grpo4j.options.Check;
import java.util.Map;

/**
 * Straying from the reference model costs reward: {@code k1 = sum_t (logprob_t - reference logprob_t)} over the completion is a part
 * {@value #PART} of the reward with weight {@code -coef} (Ouyang et al., InstructGPT, arXiv 2203.02155; k1 of Schulman, "Approximating
 * KL Divergence", 2020). Log-probs are those of the rollout. A difference is clamped to +-20, and a token where it is no number is left
 * out. Metrics {@code rewards/kl/mean}, {@code rewards/kl/std}.
 *
 * @param coef beta, the price of one nat
 */
public record KlInReward(double coef) implements RewardShaping {
  /** Name of the part of the reward. */
  public static final String PART = "kl";
  private static final double LARGEST_LOG_RATIO = 20;

  public KlInReward {
    Check.notNegative("coef", coef);
  }

  public KlInReward() {
    this(0.01);
  }

  @Override
  public RewardTable shape(RewardTable rewards, Evidence evidence, Map<String, Double> metrics) {
    boolean[] unscored = rewards.unscored();
    double[] divergence = new double[unscored.length];
    for (int i = 0; i < divergence.length; i++) {
      divergence[i] = unscored[i] ? Double.NaN : sum(evidence.logprobs(i), evidence.referenceLogprobs(i));
    }
    Moments moments = Moments.of(divergence, StandardDeviation.SAMPLE);
    if (moments.count() > 0) {
      metrics.put("rewards/" + PART + "/mean", moments.mean());
      metrics.put("rewards/" + PART + "/std", moments.std());
    }
    return rewards.withPart(PART, -coef, divergence);
  }

  @Override
  public boolean needsReference() {
    return true;
  }

  private static double sum(float[] logprobs, float[] reference) {
    double sum = 0;
    for (int t = 0; t < logprobs.length; t++) {
      double difference = (double) logprobs[t] - reference[t];
      sum += Double.isNaN(difference) ? 0 : Math.max(-LARGEST_LOG_RATIO, Math.min(LARGEST_LOG_RATIO, difference));
    }
    return sum;
  }
}
