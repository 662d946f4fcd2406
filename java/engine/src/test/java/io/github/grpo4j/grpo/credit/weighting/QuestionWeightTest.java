package io.github.grpo4j.grpo.credit.weighting;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.grpo.credit.CreditPipeline;
import io.github.grpo4j.grpo.credit.Credits;
import io.github.grpo4j.grpo.credit.Evidence;
import io.github.grpo4j.grpo.credit.QuestionWeight;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.grpo.credit.advantage.MeanCentred;
import io.github.grpo4j.grpo.credit.grouping.ByQuestion;
import io.github.grpo4j.grpo.credit.shaping.Keep;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Four questions of four completions: accuracies 0, 1/4, 3/4 and 1, on average 1/2. */
class QuestionWeightTest {
  private static final int[] GROUP = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3};
  private static final double[] CORRECT = {0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1};
  private static final double NAN = Double.NaN;

  @Test
  void additiveAddsTheDistanceFromTheMeanAccuracy() {
    assertArrayEquals(new double[] {1.5, 1.25, 0.75, 0.5}, ofQuestions(new Additive(), table()), 1e-15);
    assertArrayEquals(new double[] {1.4, 1.25, 0.8, 0.8}, ofQuestions(new Additive(Measure.ACCURACY, 0.8, 1.4, false), table()), 1e-15);
  }

  /** Rewards -4, -3, -1 and 0 on average, so 2 less than accuracy says and twice as wide: 1 + (-2) - mean, clipped. */
  @Test
  void additiveMayMeasureRewardsOfAnySign() {
    double[] rewards = Arrays.stream(CORRECT).map(correct -> 4 * correct - 4).toArray();
    RewardTable table = table(rewards);
    assertArrayEquals(new double[] {2, 2, 0.5, 0.5}, ofQuestions(new Additive(Measure.REWARD, 0.5, 2, false), table), 1e-15);
    assertArrayEquals(new double[] {3, 2, 0, 0}, ofQuestions(new Additive(Measure.REWARD, 0, 9, false), table), 1e-15);
    assertArrayEquals(new double[] {1.5, 1.25, 0.75, 0.5}, ofQuestions(new Additive(), table), 1e-15, "accuracy is what it was");
  }

  /** Weights 1.5, 1.25, 0.8, 0.8 have mean 4.35 / 4. */
  @Test
  void renormalizedWeightsHaveMeanOne() {
    double[] weights = new Additive(Measure.ACCURACY, 0.8, 2, true).weights(table(), new double[16]);
    assertEquals(1.5 / (4.35 / 4), weights[0], 1e-12);
    assertEquals(1, Arrays.stream(weights).average().orElseThrow(), 1e-12);
    double[] zero = new Additive(Measure.ACCURACY, 0, 0, true).weights(table(), new double[16]);
    assertArrayEquals(new double[16], zero, 0, "all zero: nothing to scale");
  }

  @Test
  void ratioComparesWithTheMeanAccuracy() {
    assertArrayEquals(new double[] {1, 0.5 / (0.25 + 1e-6), 0.5 / (0.75 + 1e-6), 0.5}, ofQuestions(new Ratio(), table()), 1e-15,
        "0.5 / 1.000001 is below the bound");
    assertArrayEquals(new double[] {1, 1.5, 0.8, 0.8}, ofQuestions(new Ratio(Measure.ACCURACY, 0.8, 1.5, false), table()), 1e-15);
  }

  @Test
  void ratioOfNumbersThatAreNotPositiveIsOne() {
    double[] rewards = Arrays.stream(CORRECT).map(correct -> 4 * correct - 1).toArray(); // question means -1, 0, 2, 3; overall 1
    assertArrayEquals(new double[] {1, 1, 0.5 / 1, 0.5}, ofQuestions(new Ratio(Measure.REWARD, 0.5, 2, false), table(rewards)), 1e-6);
    double[] negative = Arrays.stream(CORRECT).map(correct -> correct - 0.6).toArray(); // overall -0.1
    assertArrayEquals(new double[] {1, 1, 1, 1}, ofQuestions(new Ratio(Measure.REWARD, 0.5, 2, false), table(negative)), 0);
  }

  /** w(x) = 0.4 + 1.1 / (1 + exp(10 x - 7.5)) at 0, 1/4, 3/4 and 1. */
  @Test
  void logisticTakesAccuracyForGoodAndErrorForBad() {
    double[] good = new double[16];
    Arrays.fill(good, 0.1);
    double atZero = 1.4993920;
    double atQuarter = 1.4926378;
    double atOne = 0.4834440;
    assertArrayEquals(new double[] {atZero, atQuarter, 0.95, atOne}, ofQuestions(new Logistic(), table(), good), 1e-6);
    Arrays.fill(good, -0.1);
    assertArrayEquals(new double[] {atOne, 0.95, atQuarter, atZero}, ofQuestions(new Logistic(), table(), good), 1e-6);
    assertArrayEquals(new double[] {atOne, 0.95, atQuarter, atZero}, ofQuestions(new Logistic(), table(), new double[16]), 1e-6);
  }

  @Test
  void focalIsAPowerOfTheErrorRate() {
    assertArrayEquals(new double[] {1, 0.5625, 0.0625, 0}, ofQuestions(new Focal(2), table()), 1e-15);
    assertArrayEquals(new double[] {1, Math.sqrt(0.75), 0.5, 0}, ofQuestions(new Focal(), table()), 1e-15);
    assertArrayEquals(new double[] {1, 1, 1, 1}, ofQuestions(new Focal(0), table()), 0);
  }

  /** Questions 1 and 2 alone have rewards that differ: 2 softmax(-1/8, -3/8) = 2 / (1 + exp(-+1/4)). */
  @Test
  void softmaxIsOverTheQuestionsWhoseRewardsDiffer() {
    assertArrayEquals(new double[] {1, 1.1243530, 0.8756470, 1}, ofQuestions(new Softmax(), table()), 1e-7);
  }

  /** Question 0 is all wrong, but one answer has the form: it counts as accuracy 1. exp(-1/8) + exp(-3/8) + exp(-1/2) = 2.1763168. */
  @Test
  void softmaxTakesAnAllWrongQuestionForAnEasyOne() {
    double[] rewards = CORRECT.clone();
    rewards[2] = 0.1;
    assertArrayEquals(new double[] {0.8360879, 1.2165005, 0.9474116, 1}, ofQuestions(new Softmax(), table(rewards)), 1e-6);
  }

  @Test
  void softmaxOfLowTemperatureStaysFinite() {
    assertArrayEquals(new double[] {1, 2, 0, 1}, ofQuestions(new Softmax(1e-300), table()), 0);
  }

  @Test
  void questionsWithoutRewardCountNowhereAndWeighOne() {
    double[] rewards = CORRECT.clone();
    Arrays.fill(rewards, 0, 4, NAN);
    rewards[4] = Double.POSITIVE_INFINITY;
    RewardTable table = table(rewards);
    // Accuracies -, 0 (the right answer has no reward), 3/4, 1: mean 7/12.
    assertArrayEquals(new double[] {1, 1 + 7 / 12.0, 1 - 2 / 12.0, 1 - 5 / 12.0}, ofQuestions(new Additive(), table), 1e-15);
    for (QuestionWeight weight : all()) {
      assertEquals(1, weight.weights(table, new double[16])[0], weight.toString());
    }
  }

  @Test
  void withoutAnyRewardAllWeightsAreOne() {
    double[] none = new double[16];
    Arrays.fill(none, NAN);
    for (QuestionWeight weight : all()) {
      double[] ones = new double[16];
      Arrays.fill(ones, 1);
      assertArrayEquals(ones, weight.weights(table(none), new double[16]), 0, weight.toString());
      assertEquals(0, weight.weights(RewardTable.of(new int[0], new double[0]), new double[0]).length, weight.toString());
    }
  }

  @Test
  void aQuestionAloneHasTheWeightOfTheAverage() {
    RewardTable alone = RewardTable.of(new int[4], new double[] {1, 0, 0, 0});
    assertArrayEquals(new double[] {1, 1, 1, 1}, new Additive().weights(alone, new double[4]), 0);
    assertArrayEquals(new double[] {1, 1, 1, 1}, new Ratio().weights(alone, new double[4]), 1e-5);
    assertArrayEquals(new double[] {1, 1, 1, 1}, new Softmax().weights(alone, new double[4]), 0);
  }

  @Test
  void aQuestionWithOneRewardLeftHasItsAccuracy() {
    RewardTable one = RewardTable.of(new int[] {0, 0, 1, 1}, new double[] {1, NAN, 0, 0});
    assertArrayEquals(new double[] {0.5, 0.5, 1.5, 1.5}, new Additive().weights(one, new double[4]), 0);
  }

  @Test
  void thePipelineMultipliesAndReports() {
    Credits credits = new CreditPipeline(new Keep(), List.of(), new ByQuestion(), new MeanCentred(), new Additive())
        .assign(table(), Evidence.NONE);
    double[] expected = {0, 0, 0, 0, 0.75 * 1.25, -0.25 * 1.25, -0.25 * 1.25, -0.25 * 1.25,
        0.25 * 0.75, 0.25 * 0.75, 0.25 * 0.75, -0.75 * 0.75, 0, 0, 0, 0};
    assertArrayEquals(expected, credits.advantages(), 1e-15);
    assertEquals(1, credits.metrics().get("difficulty/weight_mean"), 1e-15);
    assertEquals(0.5, credits.metrics().get("difficulty/weight_min"), 1e-15);
    assertEquals(1.5, credits.metrics().get("difficulty/weight_max"), 1e-15);
  }

  @Test
  void kindsAreFoundByNameAndRefuseWhatMakesNoSense() {
    assertEquals(List.of("none", "additive", "ratio", "logistic", "focal", "softmax"), QuestionWeights.REGISTRY.names());
    assertEquals(new Additive(Measure.ACCURACY, 0.5, 2, false), QuestionWeights.REGISTRY.find("additive").orElseThrow());
    assertMessage("max is 0.4", () -> new Additive(Measure.ACCURACY, 0.5, 0.4, false));
    assertMessage("min is -1", () -> new Ratio(Measure.ACCURACY, -1, 2, false));
    assertMessage("slope is 0", () -> new Logistic(0.4, 1.5, 0, 0.75));
    assertMessage("gamma is -0.5", () -> new Focal(-0.5));
    assertMessage("temperature is 0", () -> new Softmax(0));
  }

  private static void assertMessage(String start, org.junit.jupiter.api.function.Executable action) {
    String message = assertThrows(IllegalArgumentException.class, action).getMessage();
    assertTrue(message.startsWith(start), message);
  }

  private static List<QuestionWeight> all() {
    return List.of(new Unweighted(), new Additive(), new Ratio(), new Logistic(), new Focal(), new Softmax());
  }

  private static RewardTable table() {
    return table(CORRECT);
  }

  private static RewardTable table(double[] rewards) {
    RewardTable table = RewardTable.of(GROUP, rewards);
    return new RewardTable(GROUP, GROUP, table.names(), table.parts(), table.weights(), CORRECT, table.tokens(), 1, table.finished(),
        table.masked());
  }

  private static double[] ofQuestions(QuestionWeight weight, RewardTable table) {
    return ofQuestions(weight, table, new double[16]);
  }

  /** One weight per question, after a check that its episodes share it. */
  private static double[] ofQuestions(QuestionWeight weight, RewardTable table, double[] advantages) {
    double[] weights = weight.weights(table, advantages);
    for (int i = 0; i < weights.length; i++) {
      assertEquals(weights[i / 4 * 4], weights[i]);
    }
    return new double[] {weights[0], weights[4], weights[8], weights[12]};
  }
}
