package io.github.grpo4j.grpo.credit;

import java.util.Arrays;

/**
 * The rewards of all episodes of a step.
 *
 * @param group index of each episode's group {@code [N]}: the answers to one question, wherever they stand in the batch. Two
 *     questions with the same text are two groups
 * @param rewards {@code [N][F]} reward of each episode by each function; NaN: the function abstained, or the episode is left
 *     out. An episode without any reward gets advantage 0 and does not count in its group
 * @param weights {@code [F]} factors of the functions in the total
 */
public record GroupedRewards(int[] group, double[][] rewards, double[] weights) {
  public GroupedRewards {
    if (group.length != rewards.length) {
      throw new IllegalArgumentException(group.length + " group indices for " + rewards.length + " episodes");
    }
    for (int i = 0; i < group.length; i++) {
      if (group[i] < 0) {
        throw new IllegalArgumentException("episode " + i + " has group index " + group[i] + "; indices start at 0");
      }
      if (rewards[i].length != weights.length) {
        throw new IllegalArgumentException("episode " + i + " has " + rewards[i].length + " rewards for " + weights.length + " functions");
      }
    }
  }

  /** One reward per episode. */
  public static GroupedRewards of(int[] group, double[] reward) {
    return new GroupedRewards(group, Arrays.stream(reward).mapToObj(r -> new double[] {r}).toArray(double[][]::new), new double[] {1});
  }

  public int episodes() {
    return group.length;
  }

  /** One more than the largest group index. */
  public int groups() {
    return Arrays.stream(group).max().orElse(-1) + 1;
  }

  /** Weighted sum of each episode's rewards, abstentions left out; NaN for an episode without any. Infinite counts as none. */
  public double[] totals() {
    double[] totals = new double[episodes()];
    for (int i = 0; i < totals.length; i++) {
      boolean scored = false;
      for (int f = 0; f < weights.length; f++) {
        if (Double.isFinite(rewards[i][f])) {
          totals[i] += weights[f] * rewards[i][f];
          scored = true;
        }
      }
      totals[i] = scored ? totals[i] : Double.NaN;
    }
    return totals;
  }

  /** The rewards of one function {@code [N]}. */
  public double[] column(int function) {
    return Arrays.stream(rewards).mapToDouble(row -> Double.isFinite(row[function]) ? row[function] : Double.NaN).toArray();
  }

  /** Throws if a group has one episode: its mean is its reward, so nothing could be learnt from it. */
  void requireGroups() {
    int[] sizes = new int[groups()];
    for (int g : group) {
      sizes[g]++;
    }
    for (int g = 0; g < sizes.length; g++) {
      if (sizes[g] == 1) {
        throw new IllegalArgumentException("group " + g + " has a single answer, and its advantage would always be 0;"
            + " set rollout.answers_per_question to 2 or more");
      }
    }
  }
}
