package io.github.grpo4j.grpo.credit;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * From the rewards of a step to the advantage of each episode:
 *
 * <pre>
 * RewardTable ─ overlong ─ shaping… ─▶ RewardTable ─ grouping ─▶ StatisticsGroups
 *                                           └────── advantage ──────┘─▶ A ─ weighting ─▶ w A
 * </pre>
 *
 * Whoever counts the accuracy of problems does so before: what a stage takes out of the step was sampled all the same. Truncated
 * completions come first, so that a stage that takes them out takes them out of all that follows.
 *
 * <p>An episode without reward (no part of it is a finite number) has advantage 0 and leaves the loss, as if it had never been sampled;
 * so does one whose advantage is no number, as that of a reward near the limits of a double.
 *
 * @param overlong what becomes of truncated completions
 * @param shaping changes of the rewards, in order
 * @param grouping which episodes are compared
 * @param advantage what a comparison gives
 * @param weighting factor of the advantage by how hard the question is
 */
public record CreditPipeline(
    RewardShaping overlong, List<RewardShaping> shaping, Grouping grouping, AdvantageEstimator advantage, QuestionWeight weighting) {
  public CreditPipeline {
    shaping = List.copyOf(shaping);
  }

  /** @throws IllegalArgumentException if a question has a single completion and the estimator needs more */
  public Credits assign(RewardTable rewards, Evidence evidence) {
    if (advantage.needsSeveralCompletions()) {
      rewards.requireGroups();
    }
    Map<String, Double> metrics = new LinkedHashMap<>();
    putShare(metrics, "rewards/unscored", rewards.unscored());
    RewardTable table = overlong.shape(rewards, evidence, metrics);
    for (RewardShaping stage : shaping) {
      table = stage.shape(table, evidence, metrics);
    }
    Advantages found = advantage.estimate(table, grouping.groups(table, metrics));
    double[] advantages = found.values().clone();
    boolean[] unscored = table.unscored();
    if (weighting.isUsed()) {
      weigh(advantages, weighting.weights(table, found.values()), unscored, metrics);
    }
    boolean[] masked = table.masked().clone();
    boolean[] notFinite = new boolean[advantages.length];
    for (int i = 0; i < advantages.length; i++) {
      notFinite[i] = !Double.isFinite(advantages[i]);
      advantages[i] = notFinite[i] ? 0 : advantages[i];
      masked[i] |= notFinite[i] || unscored[i];
    }
    putShare(metrics, "advantages/not_finite", notFinite);
    return new Credits(advantages, masked, found.fractionZeroStd(), metrics);
  }

  /** True if a reference model must be kept for a stage. */
  public boolean needsReference() {
    return overlong.needsReference() || shaping.stream().anyMatch(RewardShaping::needsReference);
  }

  /** Multiplies advantages, and reports the weights of episodes with a reward. */
  private static void weigh(double[] advantages, double[] weights, boolean[] unscored, Map<String, Double> metrics) {
    double[] counted = new double[weights.length];
    for (int i = 0; i < weights.length; i++) {
      advantages[i] *= weights[i];
      counted[i] = unscored[i] ? Double.NaN : weights[i];
    }
    Moments moments = Moments.of(counted, StandardDeviation.POPULATION);
    if (moments.count() > 0) {
      metrics.put("difficulty/weight_mean", moments.mean());
      metrics.put("difficulty/weight_min", Arrays.stream(counted).filter(w -> !Double.isNaN(w)).min().getAsDouble());
      metrics.put("difficulty/weight_max", Arrays.stream(counted).filter(w -> !Double.isNaN(w)).max().getAsDouble());
    }
  }

  /** A share that is reported only where it is not 0. */
  private static void putShare(Map<String, Double> metrics, String name, boolean[] which) {
    int count = 0;
    for (boolean one : which) {
      count += one ? 1 : 0;
    }
    if (count > 0) {
      metrics.put(name, (double) count / which.length);
    }
  }
}
