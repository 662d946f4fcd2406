package io.github.grpo4j.grpo.credit;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Which episodes each episode is compared with. Groups may overlap: an episode whose own group is too small is compared with a
 * larger one, without joining it for the others.
 *
 * @param groupOf index of the group that each episode is compared with {@code [N]}
 * @param members episodes of each group, in ascending order; the group of an episode contains it
 */
public record StatisticsGroups(int[] groupOf, int[][] members) {
  public StatisticsGroups {
    for (int i = 0; i < groupOf.length; i++) {
      if (Arrays.binarySearch(members[groupOf[i]], i) < 0) {
        throw new IllegalArgumentException("episode " + i + " is compared with group " + groupOf[i] + " and is not in it");
      }
    }
  }

  /** Each episode is compared with those of the same index. */
  public static StatisticsGroups by(int[] index) {
    int count = Arrays.stream(index).max().orElse(-1) + 1;
    int[] sizes = new int[count];
    for (int g : index) {
      sizes[g]++;
    }
    int[][] members = Arrays.stream(sizes).mapToObj(int[]::new).toArray(int[][]::new);
    Arrays.fill(sizes, 0);
    for (int i = 0; i < index.length; i++) {
      members[index[i]][sizes[index[i]]++] = i;
    }
    return new StatisticsGroups(index, members);
  }

  /** Mean and standard deviation of the values that each episode is compared with {@code [N]}; NaN values are left out. */
  public Moments[] moments(double[] values, StandardDeviation kind) {
    Moments[] ofGroup = Arrays.stream(members).map(group -> Moments.of(values, group, kind)).toArray(Moments[]::new);
    return IntStream.of(groupOf).mapToObj(g -> ofGroup[g]).toArray(Moments[]::new);
  }
}
