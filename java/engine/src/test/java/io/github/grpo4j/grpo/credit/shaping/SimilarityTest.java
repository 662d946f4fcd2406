package io.github.grpo4j.grpo.credit.shaping;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.grpo.credit.CreditPipeline;
import io.github.grpo4j.grpo.credit.Evidence;
import io.github.grpo4j.grpo.credit.Evidence.Context;
import io.github.grpo4j.grpo.credit.Evidence.FeatureRequest;
import io.github.grpo4j.grpo.credit.Evidence.Pool;
import io.github.grpo4j.grpo.credit.Evidence.Source;
import io.github.grpo4j.grpo.credit.Grouping;
import io.github.grpo4j.grpo.credit.RewardShaping;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.grpo.credit.StandardDeviation;
import io.github.grpo4j.grpo.credit.advantage.GroupNormalized;
import io.github.grpo4j.grpo.credit.grouping.ByLengthBucket;
import io.github.grpo4j.grpo.credit.grouping.ByQuestion;
import io.github.grpo4j.grpo.credit.shaping.Similarity.Mode;
import io.github.grpo4j.grpo.credit.weighting.Unweighted;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Two completions point along the first axis, one along the second. */
class SimilarityTest {
  private static final float[][] FEATURES = {{2, 0}, {5, 0}, {0, 1}};
  private static final int[] GROUP = {0, 0, 0};
  /** A cosine of 1 weighs three times as much as one of 0. */
  private static final double TAU = 1 / Math.log(3);
  private static final double NAN = Double.NaN;

  /** W is (-, 3/4, 1/4), (3/4, -, 1/4), (1/2, 1/2, -), so W R is 0, 3/4, 1/2. */
  @Test
  void rewardsMoveTowardsThoseOfSimilarCompletions() {
    Map<String, Double> metrics = new HashMap<>();
    RewardTable table = RewardTable.of(GROUP, new double[] {1, 0, 0});
    RewardTable smooth = similarity(Mode.SMOOTH, false, TAU, 0.2).shape(table, features(FEATURES), metrics);
    assertArrayEquals(new double[] {0.8, 0.15, 0.1}, smooth.totals(), 1e-15);
    assertEquals(0.15, metrics.get("similarity/reward_shift_mean"), 1e-15);
    assertArrayEquals(new double[] {1, 0, 0}, table.totals(), 0, "the table it came from is unchanged");
  }

  @Test
  void aLeaveOneOutBaselineTakesSimilarRewardsAway() {
    assertArrayEquals(new double[] {1, -0.75, -0.5}, totals(similarity(Mode.LOO_BASELINE, false, TAU, 0.2), FEATURES, 1, 0, 0), 1e-15);
    assertArrayEquals(new double[] {-3, 2.25, 1.5}, totals(similarity(Mode.LOO_BASELINE, false, TAU, 0.2), FEATURES, -3, 0, 0), 1e-15);
  }

  /** Around their mean (2/3, 1/3) the two are opposite to the third: 3 against 1/3, so W is (-, 0.9, 0.1), (0.9, -, 0.1), (1/2, 1/2, -). */
  @Test
  void centredFeaturesTellFurtherApart() {
    float[][] features = {{1, 0}, {1, 0}, {0, 1}};
    assertArrayEquals(new double[] {0.8, 0.18, 0.1}, totals(similarity(Mode.SMOOTH, true, TAU, 0.2), features, 1, 0, 0), 1e-12);
  }

  /** The total of smoothed parts is the smoothed total, and each part is smoothed by itself. */
  @Test
  void everyPartIsSmoothed() {
    RewardTable table = RewardTable.of(GROUP, new double[] {1, 0, 0}).withPart("format", 0.1, new double[] {0, 0, 4});
    RewardTable smooth = similarity(Mode.SMOOTH, false, TAU, 0.2).shape(table, features(FEATURES), new HashMap<>());
    assertArrayEquals(new double[] {0.8, 0.15, 0.1}, smooth.column(0), 1e-15);
    assertArrayEquals(new double[] {0.2, 0.2, 3.2}, smooth.column(1), 1e-15);
    assertArrayEquals(new double[] {0.82, 0.17, 0.42}, smooth.totals(), 1e-15);
  }

  /** The format of the second completion is unknown: the first moves to the third alone, whose weight is then all there is. */
  @Test
  void aPartIsSmoothedOverThoseItAppliesTo() {
    RewardTable table = RewardTable.of(GROUP, new double[] {1, 0, 0}).withPart("format", 1, new double[] {1, NAN, 0});
    RewardTable smooth = similarity(Mode.SMOOTH, false, TAU, 0.25).shape(table, features(FEATURES), new HashMap<>());
    assertArrayEquals(new double[] {0.75, NAN, 0.25}, smooth.column(1), 1e-15);
  }

  @Test
  void aUniformWeightChangesNoAdvantage() {
    int[] group = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1};
    double[] rewards = {1, 0, 1.1, 0, -2, 0.05, 3, 1, 1, 1, 0, 1};
    int[] lengths = {1, 9, 9, 1, 9, 9, 50, 9, 9, 9, 9, 50};
    RewardTable of = RewardTable.of(group, rewards);
    RewardTable table = new RewardTable(group, group, of.names(), of.parts(), of.weights(), of.correct(), lengths, 50,
        of.finished(), of.masked());
    float[][] alike = new float[12][3];
    for (float[] row : alike) {
      row[1] = 0.3f;
    }
    for (Grouping grouping : List.of(new ByQuestion(), new ByLengthBucket(3, ByLengthBucket.Scope.QUESTION))) {
      double[] plain = advantages(table, List.of(), grouping, alike);
      for (Mode mode : Mode.values()) {
        for (boolean center : new boolean[] {false, true}) {
          double[] shaped = advantages(table, List.of(similarity(mode, center, 0.1, 0.2)), grouping, alike);
          assertArrayEquals(plain, shaped, 1e-9, grouping + " " + mode);
        }
      }
      assertTrue(Arrays.stream(plain).anyMatch(a -> a > 0.5), "there is something to change");
    }
  }

  @Test
  void equalRewardsAndCompletionsWithoutOthersStayAndNoModelRuns() {
    Similarity similarity = similarity(Mode.LOO_BASELINE, true, 0.1, 0.2);
    double[] rewards = {0.1, 0.1, 0.1, 7, NAN, Double.POSITIVE_INFINITY, 2};
    RewardTable table = RewardTable.of(new int[] {0, 0, 0, 1, 1, 1, 2}, rewards);
    Map<String, Double> metrics = new HashMap<>();
    RewardTable shaped = similarity.shape(table, Evidence.NONE, metrics);
    assertArrayEquals(new double[] {0.1, 0.1, 0.1, 7, NAN, NAN, 2}, shaped.totals(), 0);
    assertEquals(Map.of("similarity/reward_shift_mean", 0.0), metrics);
  }

  @Test
  void anEpisodeWithoutRewardIsLikeNobody() {
    RewardTable table = RewardTable.of(new int[4], new double[] {1, NAN, 0, 0});
    float[][] features = {FEATURES[0], {9, -9}, FEATURES[1], FEATURES[2]};
    assertArrayEquals(new double[] {0.8, NAN, 0.15, 0.1},
        similarity(Mode.SMOOTH, false, TAU, 0.2).shape(table, features(features), new HashMap<>()).totals(), 1e-15);
  }

  @Test
  void hiddenStatesThatAreNoNumbersTouchNoReward() {
    for (boolean center : new boolean[] {false, true}) {
      assertArrayEquals(new double[] {1, 0, 2}, totals(similarity(Mode.SMOOTH, center, TAU, 0.5),
          new float[][] {{Float.NaN, 1}, {1, Float.POSITIVE_INFINITY}, {1, 1}}, 1, 0, 2), 0, "one is left, and it has no other");
    }
    assertArrayEquals(new double[] {1, 1, 1}, totals(similarity(Mode.SMOOTH, false, TAU, 0.5),
        new float[][] {{Float.NaN, 1}, {1, 1}, {1, 1}}, 1, 0, 2), 1e-15, "the other two meet in the middle");
  }

  @Test
  void zeroHiddenStatesAreLikeAllOthersAlike() {
    assertArrayEquals(new double[] {0.8, 0.1, 0.1}, totals(similarity(Mode.SMOOTH, false, 0.1, 0.2), new float[3][2], 1, 0, 0), 1e-15);
  }

  @Test
  void aSmallTemperatureStaysFinite() {
    assertArrayEquals(new double[] {0, 1, 0.5}, totals(similarity(Mode.SMOOTH, false, 1e-12, 1), FEATURES, 1, 0, 0), 1e-15);
  }

  @Test
  void theModelIsAskedOnceForWhatTheConfigurationSays() {
    List<FeatureRequest> asked = new ArrayList<>();
    Evidence evidence = new Features(new float[4][2], asked);
    new Similarity(Mode.SMOOTH, Pool.LAST, Context.PROMPT_AND_RESPONSE, true, Source.REFERENCE, 1, 0.1, 9)
        .shape(RewardTable.of(new int[] {0, 0, 1, 1}, new double[] {1, 0, 1, 0}), evidence, new HashMap<>());
    assertEquals(List.of(new FeatureRequest(9, Pool.LAST, Context.PROMPT_AND_RESPONSE, Source.REFERENCE)), asked);
  }

  @Test
  void defaultsAreSmoothCentredAndAQuarterDeep() {
    assertEquals(new Similarity(Mode.SMOOTH, Pool.MEAN, Context.RESPONSE, true, Source.POLICY, 0.1, 0.2, 0), new Similarity());
    assertEquals(false, new Similarity().needsReference());
    assertTrue(new Similarity(Mode.SMOOTH, Pool.MEAN, Context.RESPONSE, true, Source.REFERENCE, 0.1, 0.2, 0).needsReference());
    assertMessage("tau is 0", () -> similarity(Mode.SMOOTH, true, 0, 0.2));
    assertMessage("alpha is 1.5", () -> similarity(Mode.SMOOTH, true, 1, 1.5));
  }

  private static void assertMessage(String start, org.junit.jupiter.api.function.Executable action) {
    String message = assertThrows(IllegalArgumentException.class, action).getMessage();
    assertTrue(message.startsWith(start), message);
  }

  private static double[] totals(Similarity similarity, float[][] features, double... rewards) {
    return similarity.shape(RewardTable.of(GROUP, rewards), features(features), new HashMap<>()).totals();
  }

  private static double[] advantages(RewardTable table, List<RewardShaping> shaping, Grouping grouping, float[][] features) {
    return new CreditPipeline(new Keep(), shaping, grouping, new GroupNormalized(StandardDeviation.POPULATION, 1e-12), new Unweighted())
        .assign(table, features(features)).advantages();
  }

  private static Similarity similarity(Mode mode, boolean center, double tau, double alpha) {
    return new Similarity(mode, Pool.MEAN, Context.RESPONSE, center, Source.POLICY, tau, alpha, 0);
  }

  private static Evidence features(float[][] features) {
    return new Features(features, new ArrayList<>());
  }

  private record Features(float[][] values, List<FeatureRequest> asked) implements Evidence {
    @Override
    public float[][] features(FeatureRequest request) {
      asked.add(request);
      return values;
    }

    @Override
    public float[] logprobs(int episode) {
      throw new AssertionError("no log-probs are needed");
    }

    @Override
    public float[] referenceLogprobs(int episode) {
      throw new AssertionError("no log-probs are needed");
    }
  }
}
