package io.github.grpo4j.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.config.ConfigLoader;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.reward.RewardFunction;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A reward that is no number costs its episode, never the run. */
class UnscoredEpisodesTest {
  private static final int SKIPPED_STEPS = 2;
  @TempDir Path folder;

  private RunConfig config(String name, String... assignments) {
    List<String> all = new ArrayList<>(List.of(assignments));
    all.add("training.run_dir=" + folder.resolve(name));
    return ConfigLoader.parse("""
        model: {path: "builtin:tiny"}
        data: {kind: synthetic, train_limit: 20, eval_limit: 2, max_prompt_tokens: 96}
        prompt: {chat: false, system: "", user: "{question}\\n", response_prefix: ""}
        rollout: {questions_per_step: 2, answers_per_question: 3, max_new_tokens: 20}
        grpo: {entropy_coef: 0.01, updates_per_rollout: 2}
        optimizer: {weight_decay: 0.1}
        training: {max_steps: 2, eval_interval: 0, checkpoint_interval: 0, micro_batch_tokens: 150}
        """, "test", all);
  }

  private List<Map<String, Number>> run(RunConfig config, RewardFunction reward) {
    List<Map<String, Number>> rows = new ArrayList<>();
    TrainingListener listener = new TrainingListener() {
      @Override
      public void step(int step, Map<String, Number> metrics) {
        rows.add(metrics);
      }
    };
    try (Trainer trainer = Trainer.builder(config).reward("mine", reward, 1).listener(listener).open()) {
      trainer.run();
    }
    return rows;
  }

  @Test
  void updatesWithoutAnyRewardAreSkippedAndCounted() throws IOException {
    List<Map<String, Number>> rows = run(config("nothing"), completion -> Reward.of(Double.NaN, false, 0, null));
    assertEquals(SKIPPED_STEPS, rows.size());
    assertEquals(1.0, rows.get(0).get("rewards/unscored"));
    assertEquals(4L, rows.get(1).get("skipped_updates").longValue(), "two updates a step");
    assertFalse(rows.get(0).containsKey("grad_norm"));
    run(config("initial", "training.max_steps=1", "optimizer.learning_rate=1e-300"), completion -> Reward.of(1, true, 0, null));
    assertArrayEquals(weights("initial"), weights("nothing"), "neither entropy nor weight decay has moved a weight");
  }

  @Test
  void aCompletionWithoutRewardLeavesTheOthersToTrainOn() {
    RewardFunction odd = completion -> {
      int characters = completion.response().length();
      return Reward.of(characters % 2 == 0 ? Double.NaN : characters, false, 0, null);
    };
    List<Map<String, Number>> rows = run(config("some", "rollout.temperature=1.5"), odd);
    Map<String, Number> row = rows.get(0);
    double unscored = row.get("rewards/unscored").doubleValue();
    assertTrue(unscored > 0 && unscored < 1, "share without reward: " + unscored);
    assertTrue(Double.isFinite(row.get("grad_norm").doubleValue()) && Double.isFinite(row.get("reward").doubleValue()));
  }

  private byte[] weights(String name) throws IOException {
    return Files.readAllBytes(folder.resolve(name).resolve("model/model.safetensors"));
  }
}
