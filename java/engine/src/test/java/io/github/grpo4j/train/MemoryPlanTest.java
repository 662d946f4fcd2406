package io.github.grpo4j.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.BackendException;
import io.github.grpo4j.text.Tokenizer;
import io.github.grpo4j.train.config.ConfigLoader;
import io.github.grpo4j.train.config.RunConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A plan is what a run then takes, and a run that cannot fit is refused before it touches anything. */
class MemoryPlanTest {
  private static final String BASE = """
      model: {path: "builtin:tiny"}
      data: {kind: synthetic, train_limit: 300, eval_limit: 20}
      prompt: {chat: false, system: "", user: "{question}\\n", response_prefix: ""}
      rollout: {questions_per_step: 8, answers_per_question: 4, max_new_tokens: 30}
      reward: {kind: gsm8k}
      training: {micro_batch_tokens: 700}
      """;

  @TempDir Path folder;

  private RunConfig config(String... assignments) {
    List<String> all = new ArrayList<>(List.of(assignments));
    all.add("training.run_dir=" + folder.resolve("run"));
    return ConfigLoader.parse(BASE, "test", all);
  }

  @ParameterizedTest
  @ValueSource(strings = {
      "model.dtype=f32",
      "model.dtype=bf16",
      "training.recompute=layer",
      "grpo.kl_coef=0.1",
      "rollout.max_batch=9",
      "rollout.kv_cache_mb=1"
  })
  void planAndTrainerTakeTheSameMemory(String variant) {
    RunConfig config = config(variant, "data.max_prompt_tokens=" + longestPrompt());
    try (Trainer trainer = Trainer.open(config, TrainingListener.NONE)) {
      double planned = MemoryPlan.training(config).tensorBytes();
      assertEquals(1, planned / trainer.allocatedBytes(), 0.05, () -> variant + ": planned " + planned + ", taken " + trainer.allocatedBytes());
    }
  }

  /** A plan takes prompts to be as long as allowed, so the comparison allows what the data has. */
  private int longestPrompt() {
    RunConfig config = config();
    Path model = ModelLocation.find("builtin:tiny").model();
    try (Tokenizer tokenizer = Tokenizer.load(model)) {
      var prompts = TrainingData.prompts(config, model, tokenizer);
      return Math.max(TrainingData.encode(TrainingData.train(config), prompts, config.data()).longest(),
          TrainingData.encode(TrainingData.eval(config.data()), prompts, config.data()).longest());
    }
  }

  @Test
  void aRunThatCannotFitIsRefusedBeforeAnythingIsTouched() throws IOException {
    RunConfig config = config("training.micro_batch_tokens=2000000000");
    BackendException refused = assertThrows(BackendException.class, () -> Trainer.open(config, TrainingListener.NONE));
    assertTrue(refused.getMessage().contains("activations") && refused.getMessage().contains("training.micro_batch_tokens"), refused.getMessage());
    assertFalse(Files.exists(folder.resolve("run")));
  }

  @Test
  void containersLimitWhatAMachineHas() throws IOException {
    Path meminfo = Files.writeString(folder.resolve("meminfo"), "MemTotal:  1000 kB\nMemAvailable:  800 kB\n");
    Path cgroup = Files.createDirectory(folder.resolve("cgroup"));
    assertEquals(800 << 10, MachineMemory.availableBytes(meminfo, cgroup));
    Files.writeString(cgroup.resolve("memory.max"), "max\n");
    Files.writeString(cgroup.resolve("memory.current"), "300000\n");
    assertEquals(800 << 10, MachineMemory.availableBytes(meminfo, cgroup));
    Files.writeString(cgroup.resolve("memory.max"), "500000\n");
    Files.writeString(cgroup.resolve("memory.stat"), "anon 100\nfile 100000\n");
    assertEquals(300000, MachineMemory.availableBytes(meminfo, cgroup));
    assertEquals(MachineMemory.UNKNOWN, MachineMemory.availableBytes(folder.resolve("none"), folder));
  }
}
