package io.github.grpo4j.grpo.credit.advantage;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.grpo4j.grpo.credit.Advantages;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.grpo.credit.StatisticsGroups;
import org.junit.jupiter.api.Test;

class LeaveOneOutTest {
  private static Advantages estimate(int[] group, double... rewards) {
    return new LeaveOneOut().estimate(RewardTable.of(group, rewards), StatisticsGroups.by(group));
  }

  /** Rewards 1, 0, 2: the others' means are 1, 1.5 and 0.5. */
  @Test
  void theBaselineIsTheMeanOfTheOthers() {
    assertArrayEquals(new double[] {0, -1.5, 1.5}, estimate(new int[] {0, 0, 0}, 1, 0, 2).values(), 1e-15);
  }

  @Test
  void negativeRewardsAndGroupsThatAreScattered() {
    assertArrayEquals(new double[] {1, 3, -1, -3}, estimate(new int[] {0, 1, 0, 1}, 0, 1, -1, -2).values(), 1e-15);
  }

  /** With one reward missing, two are left; alone, there is nothing to compare with. */
  @Test
  void completionsWithoutRewardCountNowhere() {
    assertArrayEquals(new double[] {1, 0, -1, 0}, estimate(new int[] {0, 0, 0, 1}, 1, Double.NaN, 0, 5).values(), 1e-15);
    assertArrayEquals(new double[] {0, 0}, estimate(new int[] {0, 0}, 7, Double.POSITIVE_INFINITY).values(), 1e-15);
  }

  @Test
  void equalRewardsGiveExactlyZero() {
    Advantages advantages = estimate(new int[] {0, 0, 0}, 0.1, 0.1, 0.1);
    assertArrayEquals(new double[3], advantages.values());
    assertEquals(1, advantages.fractionZeroStd());
  }
}
