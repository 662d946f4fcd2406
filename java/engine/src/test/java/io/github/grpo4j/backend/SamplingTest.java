package io.github.grpo4j.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.grpo4j.backend.cpu.CpuBackend;
import io.github.grpo4j.model.safetensors.SafetensorsFile;
import io.github.grpo4j.testing.Accuracy;
import io.github.grpo4j.testing.Fixtures;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.OnEveryInstructionSet;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.testing.TestDevice;
import java.io.IOException;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class SamplingTest {
  private static SamplingSettings settings(JsonNode params, int vocab) {
    return new SamplingSettings((float) params.path("temperature").asDouble(1), params.path("top_k").asInt(0),
        (float) params.path("top_p").asDouble(1), (float) params.path("min_p").asDouble(0),
        (float) params.path("repetition_penalty").asDouble(1), vocab, 1);
  }

  /** A kept token may have a probability below the smallest float, so a zero is compared with the value, not with the mark. */
  @OnEveryInstructionSet
  @Tag("fixtures")
  void filtersEqualTheGoldenOnes(CpuBackend.Isa limit) throws IOException {
    try (SafetensorsFile file = Fixtures.open("sampling/filtered_probs.safetensors"); TestDevice device = TestDevice.cpu(2, limit)) {
      NdArray logits = Fixtures.array(file, "logits");
      int[] history = file.ints("history");
      int[] starts = new int[logits.rows() + 1];
      Arrays.setAll(starts, r -> r * (history.length / logits.rows()));
      for (Map.Entry<String, JsonNode> c : Fixtures.json("sampling/filtered_probs.json").get("cases").properties()) {
        SamplingSettings settings = settings(c.getValue().get("params"), logits.columns());
        Tensor probs = device.output(DType.F32, logits.shape());
        device.backend().filteredProbs(probs, device.tensor(DType.F32, logits), device.ints(history), device.ints(starts), settings);
        double[] expected = file.doubles(c.getKey() + ".probs");
        double[] actual = device.read(probs).values();
        Accuracy.assertMaxAbs(c.getKey() + " " + limit, expected, actual, 1e-6);
        int[] keep = file.ints(c.getKey() + ".keep");
        for (int i = 0; i < keep.length; i++) {
          boolean kept = keep[i] != 0;
          boolean representable = expected[i] >= Float.MIN_NORMAL;
          assertTrue(kept ? actual[i] > 0 || !representable : actual[i] == 0,
              c.getKey() + " " + limit + ": token " + i % logits.columns() + " of row " + i / logits.columns() + " has probability "
                  + actual[i] + ", golden " + expected[i] + ", kept " + kept);
        }
      }
    }
  }

  private static NdArray repeat(double[] row, int rows) {
    double[] values = new double[rows * row.length];
    for (int r = 0; r < rows; r++) {
      System.arraycopy(row, 0, values, r * row.length, row.length);
    }
    return new NdArray(values, rows, row.length);
  }

  /** Counters of answers 0 … rows - 1 at one place of a run. */
  private static int[] counters(int rows, int firstAnswer) {
    int[] counters = new int[4 * rows];
    for (int r = 0; r < rows; r++) {
      counters[4 * r] = 3;
      counters[4 * r + 1] = 17;
      counters[4 * r + 2] = firstAnswer + r;
      counters[4 * r + 3] = 5;
    }
    return counters;
  }

  private static int[] sample(TestDevice device, NdArray logits, int[] counters, SamplingSettings settings) {
    int rows = logits.rows();
    Tensor token = device.output(DType.I32, rows);
    device.backend().sample(token, device.output(DType.F32, rows), device.output(DType.F32, rows), device.tensor(DType.F32, logits),
        device.ints(counters, rows, 4), null, null, settings);
    return device.readInts(token);
  }

  /** The draws are fixed by the counters, so the counts are always the same: within 5 standard deviations of what they should be. */
  @OnEveryInstructionSet
  void drawsFollowTheFilteredDistribution(CpuBackend.Isa limit) {
    int rows = TestBackends.sized(20_000, 300);
    double[] row = NdArray.random(new Random(5), 1.5, 23).values();
    for (SamplingSettings settings : new SamplingSettings[] {new SamplingSettings(1, 0, 1, 0, 1, 23, 11), new SamplingSettings(0.8f, 9, 0.9f, 0.02f, 1, 21, -12)}) {
      try (TestDevice device = TestDevice.cpu(2, limit)) {
        Tensor probs = device.output(DType.F32, 1, 23);
        device.backend().filteredProbs(probs, device.tensor(DType.F32, repeat(row, 1)), null, null, settings);
        double[] p = device.read(probs).values();
        assertEquals(1, Arrays.stream(p).sum(), 1e-6);
        int[] counts = new int[23];
        for (int token : sample(device, repeat(row, rows), counters(rows, 0), settings)) {
          counts[token]++;
        }
        for (int v = 0; v < 23; v++) {
          assertEquals(p[v], counts[v] / (double) rows, 5 * Math.sqrt(p[v] * (1 - p[v]) / rows), settings + ", token " + v);
        }
      }
    }
  }

  @Test
  void anAnswerIsTheSameWhateverElseIsInTheBatch() {
    NdArray logits = NdArray.random(new Random(6), 1, 40, 300);
    SamplingSettings settings = new SamplingSettings(1, 0, 0.99f, 0, 1, 300, 77);
    try (TestDevice device = TestDevice.cpu(3)) {
      int[] together = sample(device, logits, counters(40, 0), settings);
      for (int r = 0; r < 40; r++) {
        assertArrayEquals(new int[] {together[r]}, sample(device, logits.rows(r, r + 1), counters(1, r), settings), "answer " + r);
      }
      int[] otherSeed = sample(device, logits, counters(40, 0), new SamplingSettings(1, 0, 0.99f, 0, 1, 300, 78));
      int[] otherAnswers = sample(device, logits, counters(40, 40), settings);
      assertTrue(!Arrays.equals(together, otherSeed) && !Arrays.equals(together, otherAnswers), "seed and counter must matter");
    }
  }

  @Test
  void everyWordOfTheCounterMatters() {
    NdArray logits = NdArray.zeros(1, 1000);
    SamplingSettings settings = new SamplingSettings(1, 0, 1, 0, 1, 1000, 5);
    try (TestDevice device = TestDevice.cpu(1)) {
      int base = sample(device, logits, new int[] {1, 2, 3, 4}, settings)[0];
      for (int word = 0; word < 4; word++) {
        int different = 0;
        for (int change = 1; change <= 3; change++) {
          int[] counter = {1, 2, 3, 4};
          counter[word] += change << 8;
          different += sample(device, logits, counter, settings)[0] == base ? 0 : 1;
        }
        assertTrue(different >= 2, "word " + word + " of the counter");
      }
    }
  }

  @Test
  void greedyTakesTheLargestAndPaddingIsNeverChosen() {
    NdArray logits = NdArray.random(new Random(8), 1, 6, 50);
    for (int r = 0; r < 6; r++) {
      logits.values()[r * 50 + 7 * r] = 9;
      logits.values()[r * 50 + 49] = 20;
    }
    try (TestDevice device = TestDevice.cpu(2)) {
      SamplingSettings greedy = new SamplingSettings(0, 0, 1, 0, 1, 49, 1);
      assertArrayEquals(new int[] {0, 7, 14, 21, 28, 35}, sample(device, logits, counters(6, 0), greedy));
      SamplingSettings hot = new SamplingSettings(5, 0, 1, 0, 1, 49, 1);
      for (int token : sample(device, repeat(logits.rows(0, 1).values(), 500), counters(500, 0), hot)) {
        assertTrue(token < 49, "token " + token + " is padding");
      }
    }
  }

  /** The stored log-prob is that of the model at this temperature, before penalty and filters. */
  @Test
  void greedyWithPenaltyStoresTheUnpenalisedLogProb() {
    NdArray logits = NdArray.vector(2, 1.9, -1, 0.5).reshape(1, 4);
    try (TestDevice device = TestDevice.cpu(1)) {
      Tensor token = device.output(DType.I32, 1);
      Tensor logprob = device.output(DType.F32, 1);
      Tensor entropy = device.output(DType.F32, 1);
      device.backend().sample(token, logprob, entropy, device.tensor(DType.F32, logits), device.ints(counters(1, 0), 1, 4),
          device.ints(0, 2), device.ints(0, 2), new SamplingSettings(0, 0, 1, 0, 1.3f, 4, 1));
      References.LogProbResult expected = References.logprob(logits, new int[] {1}, 1);
      assertArrayEquals(new int[] {1}, device.readInts(token));
      Accuracy.assertMaxAbs("log-prob", expected.logprob().values(), device.read(logprob).values(), 1e-6);
      Accuracy.assertMaxAbs("entropy", expected.entropy().values(), device.read(entropy).values(), 1e-6);
    }
  }
}
