package io.github.grpo4j.grpo.credit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class AdvantageEstimatorTest {
  private static final AdvantageEstimator GRPO_ZERO = new AdvantageEstimator.GroupNormalized(StandardDeviation.POPULATION, 1e-4);
  private static final AdvantageEstimator TRL = new AdvantageEstimator.GroupNormalized(StandardDeviation.SAMPLE, 1e-4);
  private static final List<AdvantageEstimator> ALL = List.of(GRPO_ZERO, TRL, new AdvantageEstimator.MeanCentred(),
      new AdvantageEstimator.BatchNormalized(StandardDeviation.SAMPLE, 1e-4),
      new AdvantageEstimator.NormalizedThenSummed(StandardDeviation.SAMPLE, 1e-4));

  @Test
  void populationAndSampleDeviation() {
    GroupedRewards rewards = GroupedRewards.of(new int[] {0, 0, 0, 0}, new double[] {1, 0, 0, 0});
    assertArrayEquals(new double[] {0.75 / 0.4331127, -0.25 / 0.4331127, -0.25 / 0.4331127, -0.25 / 0.4331127},
        GRPO_ZERO.estimate(rewards).values(), 1e-6); // sqrt(3/16) + 1e-4
    assertArrayEquals(new double[] {0.75 / 0.5001, -0.25 / 0.5001, -0.25 / 0.5001, -0.25 / 0.5001},
        TRL.estimate(rewards).values(), 1e-12);
  }

  @Test
  void groupsMayBeScatteredOverTheBatch() {
    Advantages together = TRL.estimate(GroupedRewards.of(new int[] {0, 0, 1, 1}, new double[] {1, 0, 3, 5}));
    Advantages scattered = TRL.estimate(GroupedRewards.of(new int[] {1, 0, 1, 0}, new double[] {5, 0, 3, 1}));
    assertArrayEquals(new double[] {together.values()[3], together.values()[1], together.values()[2], together.values()[0]},
        scattered.values(), 0);
  }

  @Test
  void equalRewardsGiveExactlyZero() {
    GroupedRewards rewards = GroupedRewards.of(new int[] {0, 0, 0, 1, 1, 1}, new double[] {0.1, 0.1, 0.1, -3, -3, -3});
    for (AdvantageEstimator estimator : ALL) {
      Advantages advantages = estimator.estimate(rewards);
      if (estimator instanceof AdvantageEstimator.BatchNormalized) {
        assertEquals(0, advantages.fractionZeroStd(), "the step as a whole has spread");
      } else {
        assertEquals(1, advantages.fractionZeroStd(), estimator.toString());
      }
      for (double value : advantages.values()) {
        assertEquals(0.0, value, estimator.toString());
      }
    }
  }

  @Test
  void anEpisodeWithoutRewardGetsZeroAndChangesNothing() {
    double[] with = {1, 0, Double.NaN, 0, Double.POSITIVE_INFINITY};
    for (AdvantageEstimator estimator : ALL) {
      double[] values = estimator.estimate(GroupedRewards.of(new int[5], with)).values();
      double[] without = estimator.estimate(GroupedRewards.of(new int[3], new double[] {1, 0, 0})).values();
      assertArrayEquals(new double[] {without[0], without[1], 0, without[2], 0}, values, 1e-15, estimator.toString());
    }
  }

  @Test
  void noRewardAtAllIsDefined() {
    for (AdvantageEstimator estimator : ALL) {
      double[] values = estimator.estimate(GroupedRewards.of(new int[2], new double[] {Double.NaN, Double.NaN})).values();
      assertArrayEquals(new double[2], values, 0, estimator.toString());
    }
  }

  @Test
  void aGroupOfOneIsRefused() {
    for (AdvantageEstimator estimator : ALL) {
      IllegalArgumentException e = assertThrows(IllegalArgumentException.class,
          () -> estimator.estimate(GroupedRewards.of(new int[] {0, 1, 1}, new double[] {1, 0, 0})));
      assertTrue(e.getMessage().contains("rollout.answers_per_question"), e.getMessage());
    }
  }

  @Test
  void unequalArraysAreNamed() {
    assertThrows(IllegalArgumentException.class, () -> GroupedRewards.of(new int[2], new double[3]));
    assertThrows(IllegalArgumentException.class, () -> new GroupedRewards(new int[1], new double[1][2], new double[3]));
    assertThrows(IllegalArgumentException.class, () -> GroupedRewards.of(new int[] {-1}, new double[1]));
  }
}
