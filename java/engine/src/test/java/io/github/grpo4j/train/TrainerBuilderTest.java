package io.github.grpo4j.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.config.ConfigLoader;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.reward.RewardFunction;
import io.github.grpo4j.track.Outcome;
import io.github.grpo4j.track.RunInfo;
import io.github.grpo4j.track.Sample;
import io.github.grpo4j.track.Tracker;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainerBuilderTest {
  @TempDir Path folder;

  private RunConfig config() {
    return ConfigLoader.parse("""
        model: {path: "builtin:tiny"}
        data: {kind: synthetic, train_limit: 20, eval_limit: 2, max_prompt_tokens: 96}
        prompt: {chat: false, system: "", user: "{question}\\n", response_prefix: ""}
        rollout: {questions_per_step: 2, answers_per_question: 2, max_new_tokens: 20}
        training: {max_steps: 1, eval_interval: 0, checkpoint_interval: 0, micro_batch_tokens: 150}
        """, "test", List.of("training.run_dir=" + folder.resolve("run")));
  }

  @Test
  void rewardsOfOnesOwnAreWeightedAndReportedByName() {
    RewardFunction length = completion -> Reward.of(completion.tokens(), false, 0, null);
    RewardFunction one = completion -> Reward.of(1, true, 0, "x");
    List<Map<String, Number>> rows = new ArrayList<>();
    TrainingListener listener = new TrainingListener() {
      @Override
      public void step(int step, Map<String, Number> metrics) {
        rows.add(metrics);
      }
    };
    try (Trainer trainer = Trainer.builder(config()).reward("one", one, 3).reward("brief", length, -0.5).listener(listener).open()) {
      trainer.run();
    }
    Map<String, Number> row = rows.get(0);
    double length1 = row.get("completions/mean_length").doubleValue();
    assertTrue(length1 >= 1);
    assertEquals(length1, row.get("rewards/brief/mean").doubleValue(), 1e-12);
    assertEquals(1, row.get("rewards/one/mean").doubleValue());
    assertEquals(1, row.get("accuracy").doubleValue(), "the first function says what is correct");
    assertEquals(3 - 0.5 * length1, row.get("reward").doubleValue(), 1e-12);
  }

  /** Without deadline this test would not end. */
  @Test
  void aRewardThatHangsCostsItsCompletionsAndTheRunGoesOn() {
    List<String> warnings = new ArrayList<>();
    List<Map<String, Number>> rows = new ArrayList<>();
    TrainingListener listener = new TrainingListener() {
      @Override
      public void step(int step, Map<String, Number> metrics) {
        rows.add(metrics);
      }

      @Override
      public void warning(String message) {
        warnings.add(message);
      }
    };
    AtomicInteger calls = new AtomicInteger();
    RewardFunction hangs = completion -> {
      if (calls.incrementAndGet() == 1) {
        new CountDownLatch(1).await();
      }
      return Reward.of(completion.tokens());
    };
    RunConfig config = ConfigLoader.parse(ConfigLoader.toYaml(config()), "test", List.of("reward.timeout_s=0.5", "training.eval_interval=1"));
    try (Trainer trainer = Trainer.builder(config).reward("slow", hangs, 1).listener(listener).open()) {
      trainer.run();
    }
    Map<String, Number> evaluation = rows.get(0);
    assertTrue(warnings.get(0).startsWith("evaluation of step 0: 1 of "), warnings.toString());
    assertTrue(evaluation.containsKey("eval/lenient_accuracy_greedy") && evaluation.containsKey("eval/format_rate_sampled"), evaluation.toString());
    assertTrue(rows.get(1).containsKey("lenient_accuracy"), rows.get(1).toString());

    calls.set(0);
    config = ConfigLoader.parse(ConfigLoader.toYaml(config()), "test", List.of("reward.timeout_s=0.5", "training.run_dir=" + folder.resolve("second")));
    try (Trainer trainer = Trainer.builder(config).reward("slow", hangs, 1).listener(listener).open()) {
      trainer.run();
    }
    Map<String, Number> row = rows.get(rows.size() - 1);
    assertEquals(1L, row.get("rewards/failed"));
    assertEquals(0.25, row.get("rewards/unscored").doubleValue());
    assertTrue(warnings.get(warnings.size() - 1).contains("1 of 4 completions have no reward; the first: reward slow took longer than 0.5 s"), warnings.toString());
  }

  @Test
  void trackersHearOfTheRunAndCannotStopIt() throws IOException {
    List<String> heard = Collections.synchronizedList(new ArrayList<>());
    Tracker good = new Tracker() {
      @Override
      public void start(RunInfo run) {
        heard.add("start " + run.command() + " " + run.firstStep() + " of " + run.totalSteps() + " in " + run.directory().getFileName());
      }

      @Override
      public void metrics(long step, Map<String, ? extends Number> metrics) {
        heard.add("metrics " + step);
      }

      @Override
      public void samples(List<Sample> samples) {
        heard.add("samples " + samples.size());
      }

      @Override
      public void finish(Outcome outcome) {
        heard.add("finish " + outcome);
      }

      @Override
      public void close() {
        heard.add("close");
      }
    };
    List<String> warnings = new ArrayList<>();
    TrainingListener listener = new TrainingListener() {
      @Override
      public void warning(String message) {
        warnings.add(message);
      }
    };
    Tracker failing = (step, metrics) -> {
      throw new IllegalStateException("the server is gone");
    };
    try (Trainer trainer = Trainer.builder(config()).tracker(failing).tracker(() -> good).listener(listener).open()) {
      assertEquals(Outcome.COMPLETED, trainer.run());
    }
    assertEquals(List.of("start train 1 of 1 in run", "samples 4", "metrics 1", "finish COMPLETED", "close"), heard);
    assertEquals(1, warnings.size(), warnings.toString());
    assertTrue(warnings.get(0).contains("the server is gone"), warnings.toString());
    assertEquals(1, Files.readAllLines(folder.resolve("run/metrics.jsonl")).size(), "the run's own record is whole");
  }

  @Test
  void twoRewardsOfOneNameAreRefused() {
    RewardFunction function = completion -> Reward.of(0, false, 0, null);
    TrainerBuilder builder = Trainer.builder(config()).reward("mine", function, 1);
    assertThrows(IllegalArgumentException.class, () -> builder.reward("mine", function, 1));
    assertThrows(IllegalArgumentException.class, () -> builder.reward("other", function, Double.NaN));
  }
}
