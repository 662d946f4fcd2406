package com.example.variant;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.grpo.credit.Advantages;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.grpo.credit.StatisticsGroups;
import io.github.grpo4j.grpo.loss.Surrogate.Value;
import io.github.grpo4j.reward.Completion;
import io.github.grpo4j.track.Outcome;
import io.github.grpo4j.track.RunInfo;
import io.github.grpo4j.track.Tracker;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VariantTest {
  @Test
  void theLongestEquationCounts() {
    assertEquals(1 - 8 / 20.0, new ShortEquations().score(says("3+4=7\n10+12=22\n#### 22")).total());
    assertEquals(0, new ShortEquations(5).score(says("10+12=22")).total());
    assertEquals(Reward.NOT_APPLICABLE, new ShortEquations().score(says("#### 22")));
  }

  private static Completion says(String response) {
    return new Completion("How many?", "22", "", response, true, 9);
  }

  @Test
  void advantagesAreSharesOfTheRange() {
    RewardTable rewards = RewardTable.of(new int[] {0, 0, 0, 0, 1, 1, 2, 2}, new double[] {1, 0, 0, -1, 5, 5, Double.NaN, 3});
    Advantages found = new RangeNormalized().estimate(rewards, StatisticsGroups.by(rewards.group()));
    assertArrayEquals(new double[] {0.5, 0, 0, -0.5, 0, 0, 0, 0}, found.values());
    assertEquals(0.5, found.fractionZeroStd());
  }

  @Test
  void theGradientFadesBeyondTheWidth() {
    Saturating surrogate = new Saturating(0.2);
    assertEquals(-2, surrogate.of(1, 2, -1).dRatio());
    assertEquals(-2 * 0.2 * Math.tanh(1), surrogate.of(1.2, 2, -1).loss(), 1e-12);
    double step = 1e-6;
    for (double ratio : new double[] {0.5, 0.9, 1.3, 4}) {
      Value value = surrogate.of(ratio, -1.5, -1);
      double slope = (surrogate.of(ratio + step, -1.5, -1).loss() - surrogate.of(ratio - step, -1.5, -1).loss()) / (2 * step);
      assertEquals(slope, value.dRatio(), 1e-8, "at ratio " + ratio);
    }
    assertEquals(0, surrogate.of(4, 1, -1).dRatio(), 1e-12);
  }

  @Test
  void aRunThatGoesOnAddsToItsLines(@TempDir Path run) throws IOException {
    for (int step = 1; step <= 2; step++) {
      try (Tracker tracker = new CsvFile().create()) {
        tracker.start(new RunInfo(run, "train", "", "", step, 2));
        tracker.metrics(step, Map.of("reward", step == 1 ? 0.5 : Double.NaN));
        tracker.finish(step == 1 ? Outcome.STOPPED : Outcome.COMPLETED);
      }
    }
    assertEquals(List.of("1,reward,0.5", "end,outcome,STOPPED", "2,reward,", "end,outcome,COMPLETED"),
        Files.readAllLines(run.resolve("metrics.csv")));
  }
}
