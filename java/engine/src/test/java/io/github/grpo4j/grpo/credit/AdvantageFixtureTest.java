package io.github.grpo4j.grpo.credit;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.grpo4j.grpo.credit.advantage.BatchNormalized;
import io.github.grpo4j.grpo.credit.advantage.GroupNormalized;
import io.github.grpo4j.grpo.credit.advantage.MeanCentred;
import io.github.grpo4j.grpo.credit.advantage.NormalizedThenSummed;
import io.github.grpo4j.model.safetensors.SafetensorsFile;
import io.github.grpo4j.testing.Accuracy;
import io.github.grpo4j.testing.Fixtures;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Advantages and reward metrics of TRL's own trainer. */
@Tag("fixtures")
class AdvantageFixtureTest {
  private static final Map<String, AdvantageEstimator> ESTIMATORS = Map.of(
      "group", new GroupNormalized(StandardDeviation.SAMPLE, 1e-4),
      "batch", new BatchNormalized(StandardDeviation.SAMPLE, 1e-4),
      "none", new MeanCentred(),
      "normalize_then_sum", new NormalizedThenSummed(StandardDeviation.SAMPLE, 1e-4));

  @ParameterizedTest
  @ValueSource(strings = {"group", "batch", "none", "normalize_then_sum"})
  void matchesTrl(String mode) throws IOException {
    JsonNode json = Fixtures.json("grpo/advantages.json");
    try (SafetensorsFile tensors = Fixtures.open("grpo/advantages.safetensors")) {
      check(mode, json, tensors);
    }
  }

  private static void check(String mode, JsonNode json, SafetensorsFile tensors) throws IOException {
    RewardTable rewards = rewards(tensors, json.get("group_size").asInt());
    Advantages advantages = ESTIMATORS.get(mode).estimate(rewards, StatisticsGroups.by(rewards.group()));
    Accuracy.assertMaxAbs("advantages", tensors.doubles(mode + ".advantages"), advantages.values(), 1e-5);
    JsonNode metrics = json.get("metrics").get(mode);
    assertEquals(metrics.get("frac_reward_zero_std").asDouble(), advantages.fractionZeroStd(), 1e-6);
    RewardStatistics total = RewardStatistics.of(rewards.totals());
    assertEquals(metrics.get("reward").asDouble(), total.mean(), 1e-6);
    assertEquals(metrics.get("reward_std").asDouble(), total.std(), 1e-6);
    List<String> names = functions(metrics);
    assertEquals(rewards.weights().length, names.size(), () -> "reward functions " + names);
    for (int f = 0; f < names.size(); f++) {
      RewardStatistics function = RewardStatistics.of(rewards.column(f));
      assertEquals(metrics.get("rewards/" + names.get(f) + "/mean").asDouble(), function.mean(), 1e-6);
      assertEquals(metrics.get("rewards/" + names.get(f) + "/std").asDouble(), function.std(), 1e-6);
    }
  }

  /** Names of the reward functions, in the order of their columns. */
  private static List<String> functions(JsonNode metrics) {
    List<String> names = new ArrayList<>();
    metrics.fieldNames().forEachRemaining(key -> {
      if (key.startsWith("rewards/") && key.endsWith("/mean")) {
        names.add(key.substring("rewards/".length(), key.length() - "/mean".length()));
      }
    });
    return names;
  }

  private static RewardTable rewards(SafetensorsFile tensors, int groupSize) throws IOException {
    double[] flat = tensors.doubles("rewards");
    int episodes = Math.toIntExact(tensors.info("rewards").shape()[0]);
    int functions = Math.toIntExact(tensors.info("rewards").shape()[1]);
    int[] group = new int[episodes];
    Arrays.setAll(group, i -> i / groupSize);
    double[] weights = tensors.doubles("weights");
    RewardTable table = RewardTable.of(group, new double[episodes]);
    for (int f = 0; f < functions; f++) {
      double[] column = new double[episodes];
      for (int i = 0; i < episodes; i++) {
        column[i] = flat[i * functions + f];
      }
      table = f == 0 ? ofOnePart(table, weights[0], column) : table.withPart("f" + (f + 1), weights[f], column);
    }
    return table;
  }

  private static RewardTable ofOnePart(RewardTable like, double weight, double[] column) {
    double[][] parts = Arrays.stream(column).mapToObj(value -> new double[] {value}).toArray(double[][]::new);
    return new RewardTable(like.group(), like.problem(), List.of("f1"), parts, new double[] {weight}, like.correct(), like.tokens(),
        like.maxTokens(), like.finished(), like.masked());
  }
}
