package io.github.grpo4j.grpo.credit.grouping;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.grpo.credit.StatisticsGroups;
import io.github.grpo4j.grpo.credit.advantage.MeanCentred;
import io.github.grpo4j.grpo.credit.grouping.ByLengthBucket.Scope;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class GroupingTest {
  /** Lengths 2, 4, 4, 4, 5, 5, 7, 9: one short, six medium (bounds 3 and 7), one long. */
  private static final int[] LENGTHS = {2, 4, 4, 4, 5, 5, 7, 9};

  @Test
  void questionsAreComparedWhereverTheyStand() {
    StatisticsGroups groups = new ByQuestion().groups(RewardTable.of(new int[] {2, 0, 2, 0}, new double[4]), new HashMap<>());
    assertEquals(List.of("[1, 3]", "[0, 2]", "[1, 3]"), List.of(setOf(groups, 1), setOf(groups, 0), setOf(groups, 3)));
  }

  @Test
  void episodesOfABucketAreComparedWithOneAnother() {
    Map<String, Double> metrics = new HashMap<>();
    StatisticsGroups groups = new ByLengthBucket(1, Scope.STEP).groups(table(new int[8], new double[8], LENGTHS), metrics);
    assertEquals("[0]", setOf(groups, 0));
    for (int i = 1; i < 7; i++) {
      assertEquals("[1, 2, 3, 4, 5, 6]", setOf(groups, i));
    }
    assertEquals("[7]", setOf(groups, 7));
    assertEquals(Map.of("length_bucket/short", 0.125, "length_bucket/medium", 0.75, "length_bucket/long", 0.125,
        "length_bucket/fallback", 0.0), metrics);
  }

  /** The two alone are compared with all eight, which changes nothing for the six. */
  @Test
  void smallBucketsFallBackToTheirQuestion() {
    Map<String, Double> metrics = new HashMap<>();
    RewardTable table = table(new int[8], new double[] {8, 1, 0, 1, 0, 1, 1, 0}, LENGTHS);
    StatisticsGroups groups = new ByLengthBucket().groups(table, metrics);
    assertEquals("[0, 1, 2, 3, 4, 5, 6, 7]", setOf(groups, 0));
    assertEquals("[1, 2, 3, 4, 5, 6]", setOf(groups, 1));
    assertEquals("[0, 1, 2, 3, 4, 5, 6, 7]", setOf(groups, 7));
    assertEquals(0.25, metrics.get("length_bucket/fallback"));
    // Mean of all 12 / 8 = 1.5, of the six 4 / 6.
    double six = 2.0 / 3;
    assertArrayEquals(new double[] {6.5, 1 - six, -six, 1 - six, -six, 1 - six, 1 - six, -1.5},
        new MeanCentred().estimate(table, groups).values(), 1e-15);
  }

  /** Over the step a question is medium as a whole; within itself its one longer completion is long. */
  @Test
  void bucketsAreOfTheStepOrOfTheQuestion() {
    int[] group = {0, 0, 0, 0, 1, 1, 1, 1};
    int[] lengths = {1, 1, 1, 1, 10, 10, 10, 12};
    RewardTable table = table(group, new double[8], lengths);
    StatisticsGroups ofStep = new ByLengthBucket(1, Scope.STEP).groups(table, new HashMap<>());
    // Mean 5.75, deviation 4.79: 10 is within, 12 is long, 1 is within.
    assertEquals(List.of("[0, 1, 2, 3]", "[4, 5, 6]", "[7]"), List.of(setOf(ofStep, 0), setOf(ofStep, 4), setOf(ofStep, 7)));
    lengths = new int[] {1, 1, 1, 3, 10, 10, 10, 12};
    table = table(group, new double[8], lengths);
    StatisticsGroups ofQuestion = new ByLengthBucket(1, Scope.QUESTION).groups(table, new HashMap<>());
    assertEquals(List.of("[0, 1, 2]", "[3]", "[4, 5, 6]", "[7]"),
        List.of(setOf(ofQuestion, 0), setOf(ofQuestion, 3), setOf(ofQuestion, 4), setOf(ofQuestion, 7)));
  }

  @Test
  void questionsAreNeverMixed() {
    StatisticsGroups groups = new ByLengthBucket(1, Scope.STEP).groups(
        table(new int[] {0, 0, 1, 1, 1}, new double[5], new int[] {5, 5, 5, 5, 5}), new HashMap<>());
    assertEquals(List.of("[0, 1]", "[2, 3, 4]"), List.of(setOf(groups, 1), setOf(groups, 2)));
  }

  /** The fourth medium episode has no reward: three are left, which are too few. */
  @Test
  void episodesWithoutRewardNeitherFillABucketNorMoveItsBounds() {
    double[] rewards = {1, 1, 0, Double.NaN, Double.NaN};
    Map<String, Double> metrics = new HashMap<>();
    RewardTable table = table(new int[5], rewards, new int[] {5, 5, 5, 5, 900});
    StatisticsGroups groups = new ByLengthBucket(4, Scope.STEP).groups(table, metrics);
    assertEquals("[0, 1, 2, 3, 4]", setOf(groups, 0), "the question, for want of a fourth");
    assertEquals(1.0, metrics.get("length_bucket/medium"), "900 is long, and it has left");
    assertEquals(1.0, metrics.get("length_bucket/fallback"));
    assertEquals("[0, 1, 2, 3]", setOf(new ByLengthBucket(3, Scope.STEP).groups(table, metrics), 0));
    assertEquals(0.0, metrics.get("length_bucket/fallback"));
  }

  @Test
  void oneTokenCompletionsAreOneBucket() {
    RewardTable table = RewardTable.of(new int[4], new double[] {1, 0, 0, 0});
    StatisticsGroups groups = new ByLengthBucket().groups(table, new HashMap<>());
    assertEquals("[0, 1, 2, 3]", setOf(groups, 0));
    assertArrayEquals(new double[] {0.75, -0.25, -0.25, -0.25}, new MeanCentred().estimate(table, groups).values(), 0);
  }

  @Test
  void noEpisodesAndNoRewardsAreDefined() {
    Map<String, Double> metrics = new HashMap<>();
    for (Scope scope : Scope.values()) {
      assertEquals(0, new ByLengthBucket(4, scope).groups(table(new int[0], new double[0], new int[0]), metrics).groupOf().length);
      double[] none = {Double.NaN, Double.NaN};
      RewardTable table = table(new int[2], none, new int[] {1, 9});
      assertArrayEquals(new double[2],
          new MeanCentred().estimate(table, new ByLengthBucket(1, scope).groups(table, metrics)).values(), 0);
    }
    assertEquals(0.0, metrics.get("length_bucket/fallback"));
  }

  @Test
  void kindsAreFoundByName() {
    assertEquals(List.of("question", "length_bucket"), Groupings.REGISTRY.names());
    assertEquals(new ByLengthBucket(4, Scope.STEP), Groupings.REGISTRY.find("length_bucket").orElseThrow());
    String message = assertThrows(IllegalArgumentException.class, () -> new ByLengthBucket(0, Scope.STEP)).getMessage();
    assertTrue(message.startsWith("min_bucket is 0"), message);
  }

  private static String setOf(StatisticsGroups groups, int episode) {
    return Arrays.toString(groups.members()[groups.groupOf()[episode]]);
  }

  private static RewardTable table(int[] group, double[] rewards, int[] lengths) {
    RewardTable table = RewardTable.of(group, rewards);
    return new RewardTable(group, group, table.names(), table.parts(), table.weights(), table.correct(), lengths, 900, table.finished(),
        table.masked());
  }
}
