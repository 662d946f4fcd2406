package io.github.grpo4j.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.config.ConfigLoader;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.model.ModelDirectory;
import io.github.grpo4j.model.safetensors.StoredType;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.track.Metrics;
import io.github.grpo4j.track.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Short runs of the built-in model in fp16: rollout, update, checkpoint, with the factor on the loss. */
class HalfPrecisionRunTest {
  private static final int STEPS = 3;
  /** With an entropy bonus every completion has a gradient, whatever its reward. */
  private static final String BASE = """
      data: {kind: synthetic, train_limit: 100, eval_limit: 2, max_prompt_tokens: 96}
      prompt: {chat: false, system: "", user: "{question}\\n", response_prefix: ""}
      rollout: {questions_per_step: 1, answers_per_question: 2, max_new_tokens: 12}
      reward: {kind: gsm8k}
      grpo: {entropy_coef: 0.01}
      optimizer: {learning_rate: 4.0e-4}
      training: {max_steps: %d, eval_interval: 0, micro_batch_tokens: 150}
      sft: {steps: %d, batch_size: 2}
      """.formatted(STEPS, STEPS);

  @TempDir Path folder;

  private RunConfig config(String name, String... assignments) {
    List<String> all = new ArrayList<>(List.of(assignments));
    all.add("training.run_dir=" + folder.resolve(name));
    return ConfigLoader.parse(BASE, "test", all);
  }

  private static List<Map<String, Number>> metrics(RunConfig config) {
    List<Map<String, Number>> metrics = new ArrayList<>();
    TrainingListener listener = new TrainingListener() {
      @Override
      public void step(int step, Map<String, Number> values) {
        metrics.add(values);
      }
    };
    try (Trainer trainer = Trainer.open(config, listener)) {
      assertEquals(Outcome.COMPLETED, trainer.run());
    }
    assertEquals(STEPS, metrics.size());
    return metrics;
  }

  private Path checkpoint(String name) {
    return folder.resolve(name).resolve("checkpoints/step_%06d/model".formatted(STEPS));
  }

  @Test
  void anFp16ModelTrainsAndIsSavedAsSuch() {
    TestBackends.assumeCuda("the CPU does not compute in fp16");
    for (Map<String, Number> step : metrics(config("run", "model.dtype=fp16"))) {
      assertEquals(65536.0, step.get(Metrics.LOSS_SCALE));
      assertEquals(0L, step.get("skipped_updates").longValue());
      assertTrue(step.get(Metrics.GRAD_NORM).doubleValue() > 0 && step.get(Metrics.GRAD_NORM).doubleValue() < 10, step.toString());
      assertTrue(Double.isFinite(step.get("loss").doubleValue()), step.toString());
    }
    ModelDirectory.tensors(checkpoint("run")).values().forEach(tensor -> assertEquals(StoredType.F16, tensor.type(), tensor.name()));
  }

  @Test
  void updatesThatOverflowAreSkippedAndTheRunGoesOn() throws IOException {
    TestBackends.assumeCuda("the CPU does not compute in fp16");
    List<Map<String, Number>> steps = metrics(config("overflow", "model.dtype=fp16", "training.loss_scale=1e9"));
    for (int i = 0; i < STEPS; i++) {
      assertEquals(1e9, steps.get(i).get(Metrics.LOSS_SCALE));
      assertEquals(i + 1L, steps.get(i).get("skipped_updates").longValue());
    }
    metrics(config("still", "model.dtype=fp16", "optimizer.learning_rate=1e-20", "optimizer.weight_decay=0"));
    assertArrayEquals(Files.readAllBytes(checkpoint("still").resolve(ModelDirectory.WEIGHTS)),
        Files.readAllBytes(checkpoint("overflow").resolve(ModelDirectory.WEIGHTS)), "the weights are those of a run that learns nothing");
  }

  @Test
  void theWarmUpHasTheFactorToo() {
    TestBackends.assumeCuda("the CPU does not compute in fp16");
    List<Map<String, Number>> steps = new ArrayList<>();
    TrainingListener listener = new TrainingListener() {
      @Override
      public void step(int step, Map<String, Number> values) {
        steps.add(values);
      }
    };
    try (SftTrainer trainer = SftTrainer.open(config("sft", "model.dtype=fp16"), false, listener)) {
      assertEquals(Outcome.COMPLETED, trainer.run());
    }
    assertEquals(STEPS, steps.size());
    steps.forEach(step -> assertEquals(65536.0, step.get(Metrics.LOSS_SCALE)));
    steps.forEach(step -> assertTrue(step.get(Metrics.GRAD_NORM).doubleValue() < 100, step.toString()));
  }

  @Test
  void otherTypesHaveNoFactorWhateverTheOptionSays() {
    for (Map<String, Number> step : metrics(config("f32", "model.dtype=f32", "training.loss_scale=1e9"))) {
      assertFalse(step.containsKey(Metrics.LOSS_SCALE));
      assertEquals(0L, step.get("skipped_updates").longValue());
    }
  }
}
