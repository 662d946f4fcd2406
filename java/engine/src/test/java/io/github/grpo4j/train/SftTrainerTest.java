package io.github.grpo4j.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.config.ConfigLoader;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.run.CheckpointException;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.track.Metrics;
import io.github.grpo4j.track.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Supervised warm-up stops and goes on as GRPO does. */
class SftTrainerTest {
  private static final int STEPS = TestBackends.sized(6, 3);
  private static final String BASE = """
      model: {path: "builtin:tiny"}
      data: {kind: synthetic, train_limit: 20, eval_limit: 2, max_prompt_tokens: 96}
      prompt: {chat: false, system: "", user: "{question}\\n", response_prefix: ""}
      rollout: {questions_per_step: 2, answers_per_question: 2, max_new_tokens: 12}
      training: {eval_interval: 2, checkpoint_interval: 2, micro_batch_tokens: 256}
      sft: {steps: %d, batch_size: %d, learning_rate: 1.0e-3, warmup_steps: 2, slip_share: 0.5}
      """.formatted(STEPS, TestBackends.sized(6, 2));

  @TempDir Path folder;

  private RunConfig config(String name, String... assignments) {
    List<String> all = new ArrayList<>(List.of(assignments));
    all.add("training.run_dir=" + folder.resolve(name));
    return ConfigLoader.parse(BASE, "test", all);
  }

  private static Outcome run(RunConfig config, int lastStep) {
    try (SftTrainer trainer = SftTrainer.open(config, true, TrainingListener.NONE)) {
      return trainer.run(lastStep);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"f32", "bf16"})
  void aStoppedRunEqualsAStraightOneToTheByte(String dtype) throws IOException {
    assertEquals(Outcome.COMPLETED, run(config("straight", "model.dtype=" + dtype), Integer.MAX_VALUE));
    assertEquals(Outcome.STOPPED, run(config("stopped", "model.dtype=" + dtype), 1));
    assertFalse(Files.exists(folder.resolve("stopped/model")), "the model of a run that can go on is its checkpoint's");
    assertEquals(Outcome.COMPLETED, run(config("stopped", "model.dtype=" + dtype), Integer.MAX_VALUE));
    assertSameRun();
  }

  @Test
  void aStopDuringAnEvaluationIsMadeUpFor() throws IOException {
    SftTrainer[] running = new SftTrainer[1];
    TrainingListener stop = new TrainingListener() {
      @Override
      public void phase(int step, Phase phase) {
        if (step == 2 && phase == Phase.EVALUATION) {
          running[0].requestStop();
        }
      }
    };
    try (SftTrainer trainer = SftTrainer.open(config("stopped"), true, stop)) {
      running[0] = trainer;
      assertEquals(Outcome.STOPPED, trainer.run());
    }
    assertTrue(Files.isDirectory(folder.resolve("stopped/checkpoints/step_000002")));
    run(config("stopped"), Integer.MAX_VALUE);
    run(config("straight"), Integer.MAX_VALUE);
    assertSameRun();
  }

  @Test
  void onlyWhatItsStepsReadMustStayTheSame() {
    run(config("run"), 1);
    assertEquals(Outcome.STOPPED, run(config("run", "optimizer.learning_rate=1", "rollout.temperature=0.5"), 2));
    CheckpointException rate = assertThrows(CheckpointException.class, () -> run(config("run", "sft.learning_rate=2.0e-3"), 3));
    assertTrue(rate.getMessage().contains("sft.learning_rate was 0.001"), rate.getMessage());
  }

  @Test
  void grpoDoesNotGoOnFromItsCheckpoint() {
    run(config("run"), 1);
    CheckpointException refused = assertThrows(CheckpointException.class, () -> Trainer.open(config("run"), TrainingListener.NONE).close());
    assertTrue(refused.getMessage().contains("was written by sft, so train cannot go on from it"), refused.getMessage());
  }

  private void assertSameRun() throws IOException {
    String checkpoint = String.format("checkpoints/step_%06d/", STEPS);
    for (String file : List.of(checkpoint + "model/model.safetensors", checkpoint + "optimizer.safetensors", "model/model.safetensors",
        String.format("eval/step_%06d.jsonl", STEPS))) {
      assertArrayEquals(bytes("straight", file), bytes("stopped", file), file);
    }
    assertEquals(metrics("straight"), metrics("stopped"));
    assertEquals(STEPS, metrics("straight").size(), "a row a step");
  }

  private byte[] bytes(String name, String file) throws IOException {
    return Files.readAllBytes(folder.resolve(name).resolve(file));
  }

  private List<String> metrics(String name) throws IOException {
    return Files.readAllLines(folder.resolve(name).resolve("metrics.jsonl")).stream().map(Metrics::withoutMachine).toList();
  }
}
