package io.github.grpo4j.grpo.credit.advantage;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.grpo.credit.AdvantageEstimator;
import io.github.grpo4j.grpo.credit.Advantages;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.grpo.credit.StandardDeviation;
import io.github.grpo4j.grpo.credit.StatisticsGroups;
import java.util.List;
import org.junit.jupiter.api.Test;

class AdvantageEstimatorTest {
  private static final AdvantageEstimator GRPO_ZERO = new GroupNormalized(StandardDeviation.POPULATION, 1e-4);
  private static final AdvantageEstimator TRL = new GroupNormalized(StandardDeviation.SAMPLE, 1e-4);
  private static final List<AdvantageEstimator> ALL = List.of(GRPO_ZERO, TRL, new MeanCentred(),
      new BatchNormalized(StandardDeviation.SAMPLE, 1e-4), new NormalizedThenSummed(StandardDeviation.SAMPLE, 1e-4));

  @Test
  void populationAndSampleDeviation() {
    int[] group = {0, 0, 0, 0};
    double[] rewards = {1, 0, 0, 0};
    assertArrayEquals(new double[] {0.75 / 0.4331127, -0.25 / 0.4331127, -0.25 / 0.4331127, -0.25 / 0.4331127},
        estimate(GRPO_ZERO, group, rewards).values(), 1e-6); // sqrt(3/16) + 1e-4
    assertArrayEquals(new double[] {0.75 / 0.5001, -0.25 / 0.5001, -0.25 / 0.5001, -0.25 / 0.5001},
        estimate(TRL, group, rewards).values(), 1e-12);
  }

  @Test
  void batchNormalizedDividesByTheDeviationOfTheStep() {
    // Rewards 1, 0, -1, -3: mean -0.75, squares 3.0625 + 0.5625 + 0.0625 + 5.0625 = 8.75.
    double std = Math.sqrt(8.75 / 3);
    Advantages found = estimate(
        new BatchNormalized(StandardDeviation.SAMPLE, 1e-4), new int[] {0, 0, 1, 1}, new double[] {1, 0, -1, -3});
    assertArrayEquals(new double[] {0.5 / (std + 1e-4), -0.5 / (std + 1e-4), 1 / (std + 1e-4), -1 / (std + 1e-4)}, found.values(), 1e-12);
    assertEquals(0, found.fractionZeroStd());
  }

  @Test
  void meanCentredDividesByNothing() {
    assertArrayEquals(new double[] {0.5, -0.5, 1, -1},
        estimate(new MeanCentred(), new int[] {0, 0, 1, 1}, new double[] {1, 0, -1, -3}).values(), 0);
  }

  /**
   * Answers 1, 0 and formats 0, 0.01 are both normalised to +-1 within the group, up to the epsilon, so format counts in full; in the
   * normalised total it would count a hundredth.
   */
  @Test
  void normalizedThenSummedNormalizesPartsByThemselves() {
    RewardTable table = RewardTable.of(new int[] {0, 0, 1, 1}, new double[] {1, 0, 1, 0})
        .withPart("format", 0.5, new double[] {0, 0.01, 0, 0});
    double answer = 0.5 / (0.5 + 1e-4);
    double format = 0.005 / (0.005 + 1e-4);
    double[] sums = {answer - 0.5 * format, -answer + 0.5 * format, answer, -answer};
    double std = Math.sqrt((sums[0] * sums[0] + sums[2] * sums[2]) / 2);
    Advantages found = new NormalizedThenSummed().estimate(table, StatisticsGroups.by(table.group()));
    for (int i = 0; i < sums.length; i++) {
      assertEquals(sums[i] / (std + 1e-4), found.values()[i], 1e-12);
    }
    double[] oneColumn = estimate(new NormalizedThenSummed(), table.group(), table.totals()).values();
    assertTrue(Math.abs(oneColumn[0] - found.values()[0]) > 0.2, "a column of totals would give something else");
  }

  @Test
  void aPartThatDoesNotApplyLeavesTheOthers() {
    RewardTable table = RewardTable.of(new int[4], new double[] {1, 0, 1, 0})
        .withPart("unit", 1, new double[] {Double.NaN, 1, 0, Double.NaN});
    double[] values = new NormalizedThenSummed(StandardDeviation.POPULATION, 1e-9)
        .estimate(table, StatisticsGroups.by(table.group())).values();
    // The answer gives 1, -1, 1, -1; the unit -, 1, -1, -. Sums 1, 0, 0, -1 have deviation sqrt(1/2).
    assertArrayEquals(new double[] {Math.sqrt(2), 0, 0, -Math.sqrt(2)}, values, 1e-7);
  }

  @Test
  void groupsMayBeScatteredOverTheBatch() {
    double[] together = estimate(TRL, new int[] {0, 0, 1, 1}, new double[] {1, 0, 3, 5}).values();
    double[] scattered = estimate(TRL, new int[] {1, 0, 1, 0}, new double[] {5, 0, 3, 1}).values();
    assertArrayEquals(new double[] {together[3], together[1], together[2], together[0]}, scattered, 0);
  }

  @Test
  void equalRewardsGiveExactlyZero() {
    for (AdvantageEstimator estimator : ALL) {
      Advantages advantages = estimate(estimator, new int[] {0, 0, 0, 1, 1, 1}, new double[] {0.1, 0.1, 0.1, -3, -3, -3});
      assertEquals(estimator instanceof BatchNormalized ? 0 : 1, advantages.fractionZeroStd(),
          estimator + ": the step as a whole has spread, its groups have none");
      for (double value : advantages.values()) {
        assertEquals(0.0, value, estimator.toString());
      }
    }
  }

  @Test
  void anEpisodeWithoutRewardGetsZeroAndChangesNothing() {
    double[] with = {1, 0, Double.NaN, 0, Double.POSITIVE_INFINITY};
    for (AdvantageEstimator estimator : ALL) {
      double[] values = estimate(estimator, new int[5], with).values();
      double[] without = estimate(estimator, new int[3], new double[] {1, 0, 0}).values();
      assertArrayEquals(new double[] {without[0], without[1], 0, without[2], 0}, values, 1e-15, estimator.toString());
    }
  }

  @Test
  void noRewardAtAllIsDefined() {
    for (AdvantageEstimator estimator : ALL) {
      double[] none = {Double.NaN, Double.NaN};
      assertArrayEquals(new double[2], estimate(estimator, new int[2], none).values(), 0, estimator.toString());
      assertArrayEquals(new double[0], estimate(estimator, new int[0], new double[0]).values(), 0, estimator.toString());
    }
  }

  @Test
  void anEpisodeAloneInItsGroupGetsZero() {
    for (AdvantageEstimator estimator : ALL) {
      double[] values = estimate(estimator, new int[] {0, 1, 1}, new double[] {7, 1, Double.NaN}).values();
      assertArrayEquals(new double[3], values, 0, estimator.toString());
    }
  }

  /** Episode 0 is compared with all four, the others with one another: means 1 and 0, deviations sqrt(3) and 0. */
  @Test
  void anEpisodeMayBeComparedWithMoreThanItsOwnGroup() {
    StatisticsGroups groups = new StatisticsGroups(new int[] {0, 1, 1, 1}, new int[][] {{0, 1, 2, 3}, {1, 2, 3}});
    RewardTable table = RewardTable.of(new int[4], new double[] {4, 0, 0, 0});
    assertArrayEquals(new double[] {3 / (Math.sqrt(3) + 1e-4), 0, 0, 0}, GRPO_ZERO.estimate(table, groups).values(), 1e-12);
    assertEquals(0.75, GRPO_ZERO.estimate(table, groups).fractionZeroStd());
  }

  @Test
  void anEpisodeIsAMemberOfWhatItIsComparedWith() {
    assertThrows(IllegalArgumentException.class, () -> new StatisticsGroups(new int[] {0, 0}, new int[][] {{1}}));
  }

  @Test
  void kindsAreFoundByName() {
    assertEquals(new GroupNormalized(), AdvantageEstimators.REGISTRY.find("group").orElseThrow());
    assertTrue(AdvantageEstimators.REGISTRY.names().containsAll(List.of("group", "batch", "none", "normalize_then_sum")));
    String message = assertThrows(IllegalArgumentException.class, () -> new GroupNormalized(StandardDeviation.SAMPLE, 0)).getMessage();
    assertTrue(message.startsWith("eps is 0"), message);
  }

  private static Advantages estimate(AdvantageEstimator estimator, int[] group, double[] rewards) {
    return estimator.estimate(RewardTable.of(group, rewards), StatisticsGroups.by(group));
  }
}
