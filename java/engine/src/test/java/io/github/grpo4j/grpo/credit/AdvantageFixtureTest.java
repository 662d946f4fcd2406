package io.github.grpo4j.grpo.credit;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.grpo4j.model.safetensors.SafetensorsFile;
import io.github.grpo4j.testing.Accuracy;
import io.github.grpo4j.testing.Fixtures;
import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Advantages and reward metrics of TRL's own trainer. */
@Tag("fixtures")
class AdvantageFixtureTest {
  private static final Map<String, AdvantageEstimator> ESTIMATORS = Map.of(
      "group", new AdvantageEstimator.GroupNormalized(StandardDeviation.SAMPLE, 1e-4),
      "batch", new AdvantageEstimator.BatchNormalized(StandardDeviation.SAMPLE, 1e-4),
      "none", new AdvantageEstimator.MeanCentred(),
      "normalize_then_sum", new AdvantageEstimator.NormalizedThenSummed(StandardDeviation.SAMPLE, 1e-4));

  @ParameterizedTest
  @ValueSource(strings = {"group", "batch", "none", "normalize_then_sum"})
  void matchesTrl(String mode) throws IOException {
    JsonNode json = Fixtures.json("grpo/advantages.json");
    try (SafetensorsFile tensors = Fixtures.open("grpo/advantages.safetensors")) {
      check(mode, json, tensors);
    }
  }

  private static void check(String mode, JsonNode json, SafetensorsFile tensors) throws IOException {
    GroupedRewards rewards = rewards(tensors, json.get("group_size").asInt());
    Advantages advantages = ESTIMATORS.get(mode).estimate(rewards);
    Accuracy.assertMaxAbs("advantages", tensors.doubles(mode + ".advantages"), advantages.values(), 1e-5);
    JsonNode metrics = json.get("metrics").get(mode);
    assertEquals(metrics.get("frac_reward_zero_std").asDouble(), advantages.fractionZeroStd(), 1e-6);
    RewardStatistics total = RewardStatistics.of(rewards.totals());
    assertEquals(metrics.get("reward").asDouble(), total.mean(), 1e-6);
    assertEquals(metrics.get("reward_std").asDouble(), total.std(), 1e-6);
    for (int f = 0; f < rewards.weights().length; f++) {
      RewardStatistics function = RewardStatistics.of(rewards.column(f));
      assertEquals(metrics.get("rewards/f" + (f + 1) + "/mean").asDouble(), function.mean(), 1e-6);
      assertEquals(metrics.get("rewards/f" + (f + 1) + "/std").asDouble(), function.std(), 1e-6);
    }
  }

  private static GroupedRewards rewards(SafetensorsFile tensors, int groupSize) throws IOException {
    double[] flat = tensors.doubles("rewards");
    int episodes = Math.toIntExact(tensors.info("rewards").shape()[0]);
    int functions = Math.toIntExact(tensors.info("rewards").shape()[1]);
    double[][] rewards = new double[episodes][functions];
    int[] group = new int[episodes];
    for (int i = 0; i < episodes; i++) {
      group[i] = i / groupSize;
      System.arraycopy(flat, i * functions, rewards[i], 0, functions);
    }
    return new GroupedRewards(group, rewards, tensors.doubles("weights"));
  }
}
