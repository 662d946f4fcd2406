package io.github.grpo4j.grpo.credit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.grpo.credit.advantage.GroupNormalized;
import io.github.grpo4j.grpo.credit.advantage.MeanCentred;
import io.github.grpo4j.grpo.credit.grouping.ByQuestion;
import io.github.grpo4j.grpo.credit.shaping.Keep;
import io.github.grpo4j.grpo.credit.weighting.Unweighted;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class CreditPipelineTest {
  private static final CreditPipeline PLAIN = new CreditPipeline(
      new Keep(), List.of(), new ByQuestion(), new GroupNormalized(StandardDeviation.POPULATION, 1e-4), new Unweighted());

  @Test
  void withoutStagesAdvantagesAreTheEstimatorsToTheBit() {
    RewardTable table = RewardTable.of(new int[] {0, 0, 1, 1}, new double[] {1.1, 0.05, -3, 0.3});
    Credits credits = PLAIN.assign(table, Evidence.NONE);
    assertArrayEquals(
        PLAIN.advantage().estimate(table, StatisticsGroups.by(table.group())).values(), credits.advantages(), 0);
    assertArrayEquals(new boolean[4], credits.masked());
    assertEquals(Map.of(), credits.metrics(), "nothing is on, so nothing is reported");
  }

  @Test
  void anEpisodeWithoutRewardLeavesTheLossAndIsCounted() {
    Credits credits = PLAIN.assign(
        RewardTable.of(new int[5], new double[] {1, Double.NaN, 0, Double.POSITIVE_INFINITY, 1}), Evidence.NONE);
    Credits without = PLAIN.assign(RewardTable.of(new int[3], new double[] {1, 0, 1}), Evidence.NONE);
    double[] three = without.advantages();
    assertArrayEquals(new double[] {three[0], 0, three[1], 0, three[2]}, credits.advantages(), 0);
    assertArrayEquals(new boolean[] {false, true, false, true, false}, credits.masked());
    assertEquals(Map.of("rewards/unscored", 0.4), credits.metrics());
  }

  @Test
  void noEpisodeWithARewardLeavesNothingToTrainOn() {
    Credits credits = PLAIN.assign(RewardTable.of(new int[2], new double[] {Double.NaN, Double.NEGATIVE_INFINITY}), Evidence.NONE);
    assertArrayEquals(new double[2], credits.advantages(), 0);
    assertArrayEquals(new boolean[] {true, true}, credits.masked());
  }

  /** The sum of two such rewards is infinite, and so would be their mean. */
  @Test
  void rewardsNearTheLimitOfADoubleDoNotBecomeNaN() {
    Credits credits = PLAIN.assign(RewardTable.of(new int[] {0, 0, 1, 1}, new double[] {1.7e308, 1.6e308, 1, 0}), Evidence.NONE);
    assertArrayEquals(new double[] {0, 0, 0.5 / 0.5001, -0.5 / 0.5001}, credits.advantages(), 1e-12);
    assertArrayEquals(new boolean[] {true, true, false, false}, credits.masked());
    assertEquals(0.5, credits.metrics().get("advantages/not_finite"));
  }

  @Test
  void aQuestionWithASingleCompletionIsRefusedUnlessTheEstimatorCanUseIt() {
    RewardTable table = RewardTable.of(new int[] {0, 1, 1}, new double[] {1, 0, 0});
    String message = assertThrows(IllegalArgumentException.class, () -> PLAIN.assign(table, Evidence.NONE)).getMessage();
    assertTrue(message.contains("rollout.answers_per_question"), message);
    AdvantageEstimator rewardsThemselves = new AdvantageEstimator() {
      @Override
      public Advantages estimate(RewardTable rewards, StatisticsGroups groups) {
        return new Advantages(rewards.totals(), 0);
      }

      @Override
      public boolean needsSeveralCompletions() {
        return false;
      }
    };
    CreditPipeline pipeline = new CreditPipeline(new Keep(), List.of(), new ByQuestion(), rewardsThemselves, new Unweighted());
    assertArrayEquals(new double[] {1, 0, 0}, pipeline.assign(table, Evidence.NONE).advantages(), 0);
  }

  /** Each stage sees what those before it left: (R + 1) * 10, centred, times 3. */
  @Test
  void stagesFollowTheirOrder() {
    RewardShaping plusOne = (rewards, evidence, metrics) -> {
      metrics.put("first", 1.0);
      return rewards.withPart("one", 1, new double[] {0, 1});
    };
    RewardShaping timesTen = (rewards, evidence, metrics) -> {
      metrics.put("second", (double) rewards.names().size());
      double[][] parts = rewards.parts().clone();
      for (int i = 0; i < parts.length; i++) {
        parts[i] = new double[] {10 * parts[i][0], 10 * parts[i][1]};
      }
      return rewards.withParts(parts);
    };
    QuestionWeight three = (rewards, advantages) -> new double[] {rewards.totals()[1] / 10 - advantages[1], 3};
    Credits credits = new CreditPipeline(plusOne, List.of(timesTen), new ByQuestion(), new MeanCentred(), three)
        .assign(RewardTable.of(new int[2], new double[] {2, 3}), Evidence.NONE);
    // Totals 20 and 40, advantages -10 and 10, weights 4 - 10 = -6 and 3.
    assertArrayEquals(new double[] {60, 30}, credits.advantages(), 0);
    assertEquals(List.of("first", "second", "difficulty/weight_mean", "difficulty/weight_min", "difficulty/weight_max"),
        List.copyOf(credits.metrics().keySet()));
    assertEquals(List.of(1.0, 2.0, -1.5, -6.0, 3.0), List.copyOf(credits.metrics().values()));
  }

  @Test
  void aStageThatNeedsAReferenceModelIsHeard() {
    RewardShaping needy = new RewardShaping() {
      @Override
      public RewardTable shape(RewardTable rewards, Evidence evidence, Map<String, Double> metrics) {
        return rewards;
      }

      @Override
      public boolean needsReference() {
        return true;
      }
    };
    assertEquals(false, PLAIN.needsReference());
    assertEquals(true, new CreditPipeline(
        new Keep(), List.of(new Keep(), needy), new ByQuestion(), new MeanCentred(), new Unweighted()).needsReference());
  }
}
