package io.github.grpo4j.grpo.credit;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The rewards of a step, N episodes by F named parts: what the credit pipeline starts from and what each
 * {@link RewardShaping} turns into another one. Arrays belong to the record and must not be changed.
 *
 * @param group index of each episode's question within the step {@code [N]}, from 0; two questions with the same text are two
 * @param problem identity of each episode's problem in its data set {@code [N]}
 * @param names of the parts {@code [F]}
 * @param parts {@code [N][F]}; NaN: the part does not apply to the episode. An episode without any finite part has no reward: it
 *     leaves the statistics of its group and gets advantage 0
 * @param weights of the parts in the total {@code [F]}
 * @param correct strict accuracy of each episode {@code [N]}, 0 or 1: what difficulty is measured by, whatever the rewards
 * @param tokens completion tokens of each episode {@code [N]}
 * @param maxTokens length limit of a completion
 * @param finished whether each episode ended by itself {@code [N]}
 * @param masked episodes whose tokens are in no loss and no normaliser {@code [N]}
 */
public record RewardTable(
    int[] group,
    int[] problem,
    List<String> names,
    double[][] parts,
    double[] weights,
    double[] correct,
    int[] tokens,
    int maxTokens,
    boolean[] finished,
    boolean[] masked) {
  public RewardTable {
    names = List.copyOf(names);
    int n = group.length;
    if (problem.length != n || parts.length != n || correct.length != n || tokens.length != n || finished.length != n
        || masked.length != n) {
      throw new IllegalArgumentException("columns of different lengths for " + n + " episodes");
    }
    for (int i = 0; i < n; i++) {
      if (group[i] < 0) {
        throw new IllegalArgumentException("episode " + i + " has group index " + group[i] + "; indices start at 0");
      }
      if (parts[i].length != weights.length) {
        throw new IllegalArgumentException("episode " + i + " has " + parts[i].length + " rewards for " + weights.length + " parts");
      }
    }
    if (names.size() != weights.length) {
      throw new IllegalArgumentException(names.size() + " names for " + weights.length + " parts");
    }
  }

  /** A table of one part of weight 1, for episodes of one token that ended by themselves: for tests and for a start. */
  public static RewardTable of(int[] group, double[] reward) {
    int n = group.length;
    int[] ones = new int[n];
    Arrays.fill(ones, 1);
    boolean[] finished = new boolean[n];
    Arrays.fill(finished, true);
    double[][] parts = Arrays.stream(reward).mapToObj(r -> new double[] {r}).toArray(double[][]::new);
    return new RewardTable(group, group, List.of("reward"), parts, new double[] {1}, reward.clone(), ones, 1, finished, new boolean[n]);
  }

  public int episodes() {
    return group.length;
  }

  /** One more than the largest group index. */
  public int groups() {
    return Arrays.stream(group).max().orElse(-1) + 1;
  }

  /** Weighted sum of each episode's parts, those that do not apply left out; NaN for an episode without any. Infinite counts as none. */
  public double[] totals() {
    double[] totals = new double[episodes()];
    for (int i = 0; i < totals.length; i++) {
      boolean scored = false;
      for (int f = 0; f < weights.length; f++) {
        if (Double.isFinite(parts[i][f])) {
          totals[i] += weights[f] * parts[i][f];
          scored = true;
        }
      }
      totals[i] = scored && Double.isFinite(totals[i]) ? totals[i] : Double.NaN;
    }
    return totals;
  }

  /** Whether each episode has no reward {@code [N]}: no part of it is a finite number. */
  public boolean[] unscored() {
    double[] totals = totals();
    boolean[] unscored = new boolean[totals.length];
    for (int i = 0; i < totals.length; i++) {
      unscored[i] = Double.isNaN(totals[i]);
    }
    return unscored;
  }

  /** Throws if a question has one completion: its mean is its reward, so nothing could be learnt from it. */
  void requireGroups() {
    int[] sizes = new int[groups()];
    for (int g : group) {
      sizes[g]++;
    }
    for (int g = 0; g < sizes.length; g++) {
      if (sizes[g] == 1) {
        throw new IllegalArgumentException("question " + g + " has a single completion, and its advantage would always be 0;"
            + " set rollout.answers_per_question to 2 or more");
      }
    }
  }

  /** One part of all episodes {@code [N]}; NaN where it does not apply. */
  public double[] column(int part) {
    return Arrays.stream(parts).mapToDouble(row -> Double.isFinite(row[part]) ? row[part] : Double.NaN).toArray();
  }

  /** The same episodes with other values of the same parts. */
  public RewardTable withParts(double[][] values) {
    return new RewardTable(group, problem, names, values, weights, correct, tokens, maxTokens, finished, masked);
  }

  /** The same episodes with one more part. */
  public RewardTable withPart(String name, double weight, double[] values) {
    double[][] more = new double[episodes()][];
    for (int i = 0; i < more.length; i++) {
      more[i] = Arrays.copyOf(parts[i], weights.length + 1);
      more[i][weights.length] = values[i];
    }
    double[] moreWeights = Arrays.copyOf(weights, weights.length + 1);
    moreWeights[weights.length] = weight;
    List<String> moreNames = new ArrayList<>(names);
    moreNames.add(name);
    return new RewardTable(group, problem, moreNames, more, moreWeights, correct, tokens, maxTokens, finished, masked);
  }

  /** The same episodes, some of which lose their rewards and leave the loss: as if they had never been sampled. */
  public RewardTable without(boolean[] out) {
    double[][] left = parts.clone();
    boolean[] outOfLoss = masked.clone();
    for (int i = 0; i < out.length; i++) {
      if (out[i]) {
        left[i] = new double[weights.length];
        Arrays.fill(left[i], Double.NaN);
        outOfLoss[i] = true;
      }
    }
    return withParts(left).withMasked(outOfLoss);
  }

  /** The same rewards with other episodes out of the loss. */
  public RewardTable withMasked(boolean[] out) {
    return new RewardTable(group, problem, names, parts, weights, correct, tokens, maxTokens, finished, out);
  }
}
