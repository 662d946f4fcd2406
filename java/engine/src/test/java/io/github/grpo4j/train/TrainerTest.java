package io.github.grpo4j.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.grpo4j.config.ConfigLoader;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.curriculum.Curriculum;
import io.github.grpo4j.curriculum.NearHalf;
import io.github.grpo4j.run.CheckpointException;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.track.Metrics;
import io.github.grpo4j.track.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole runs of the built-in model: they can be stopped and resumed without a trace, and they learn from the reward alone. */
class TrainerTest {
  private static final int STEPS = TestBackends.sized(12, 3);
  private static final int STOP = TestBackends.sized(5, 1);
  /** Steps between evaluations. */
  private static final int EVALUATE = TestBackends.sized(4, 2);
  private static final String BASE = """
      model: {path: "builtin:tiny"}
      data: {kind: synthetic, train_limit: 2000, eval_limit: %d, max_prompt_tokens: 96}
      prompt: {chat: false, system: "", user: "{question}\\n", response_prefix: ""}
      rollout: {questions_per_step: %d, answers_per_question: %d, max_new_tokens: 30}
      reward: {kind: gsm8k}
      optimizer: {learning_rate: 4.0e-4, betas: [0.9, 0.99], schedule: linear, warmup_steps: 2, min_lr_ratio: 0.1}
      training: {max_steps: %d, eval_interval: %d, checkpoint_interval: 3, micro_batch_tokens: %d}
      """.formatted(TestBackends.sized(40, 2), TestBackends.sized(8, 2), TestBackends.sized(4, 2), STEPS, EVALUATE,
      TestBackends.sized(512, 150));

  @TempDir Path folder;

  private RunConfig config(String name, String... assignments) {
    List<String> all = new ArrayList<>(List.of(assignments));
    all.add("training.run_dir=" + folder.resolve(name));
    return ConfigLoader.parse(BASE, "test", all);
  }

  private static Outcome run(RunConfig config, int lastStep) {
    try (Trainer trainer = Trainer.open(config, TrainingListener.NONE)) {
      return trainer.run(lastStep);
    }
  }

  static List<String> variants() {
    Stream<String> types = TestBackends.storageTypes().stream().map(type -> "model.dtype=" + type.optionName());
    return Stream.concat(types, Stream.of("grpo.updates_per_rollout=" + TestBackends.sized(4, 2), "grpo.kl_coef=0.05")).toList();
  }

  @ParameterizedTest
  @MethodSource("variants")
  void aStoppedRunEqualsAStraightOneToTheByte(String variant) throws IOException {
    assertEquals(Outcome.COMPLETED, run(config("straight", variant), Integer.MAX_VALUE));
    assertEquals(Outcome.STOPPED, run(config("stopped", variant), STOP));
    assertEquals(Outcome.COMPLETED, run(config("stopped", variant), Integer.MAX_VALUE));
    assertSameRun(folder.resolve("straight"), folder.resolve("stopped"), STEPS);
  }

  /** Ten problems in batches of four: the stop is in the middle of a sorted pass, and a pass that drops problems is shorter. */
  @ParameterizedTest
  @ValueSource(ints = {2, 4, 7})
  void aStoppedRunWithACurriculumEqualsAStraightOneToTheByte(int stop) throws IOException {
    TestBackends.assumeCpu("the order of problems knows nothing of the back end");
    String[] small = {"data.train_limit=10", "data.eval_limit=2", "rollout.questions_per_step=4", "rollout.answers_per_question=2",
        "training.epochs=4", "training.max_steps=0", "training.eval_interval=0"};
    Curriculum curriculum = new NearHalf(0.5, 0.8, 3, true);
    run(config("straight", small), curriculum, Integer.MAX_VALUE);
    run(config("stopped", small), curriculum, stop);
    run(config("stopped", small), curriculum, Integer.MAX_VALUE);
    assertEquals(12, lastMetrics("straight").path("step").asInt(), "four passes of three steps, whatever is dropped");
    assertTrue(lastMetrics("straight").path("curriculum/pass").asInt() > 1);
    for (String file : List.of("model/model.safetensors", "samples.jsonl")) {
      assertArrayEquals(
          Files.readAllBytes(folder.resolve("straight").resolve(file)), Files.readAllBytes(folder.resolve("stopped").resolve(file)), file);
    }
    assertEquals(modules("straight"), modules("stopped"));
    assertEquals(withoutMachine(folder.resolve("straight")), withoutMachine(folder.resolve("stopped")));
    CheckpointException other = assertThrows(CheckpointException.class, () -> run(config("stopped", small), Integer.MAX_VALUE));
    assertTrue(other.getMessage().contains("nothing here takes the state of curriculum"), other.getMessage());
  }

  private JsonNode modules(String name) throws IOException {
    return new ObjectMapper().readTree(folder.resolve(name).resolve("checkpoints/step_000012/state.json").toFile()).required("modules");
  }

  private static Outcome run(RunConfig config, Curriculum curriculum, int lastStep) {
    try (Trainer trainer = Trainer.builder(config).curriculum(curriculum).open()) {
      return trainer.run(lastStep);
    }
  }

  /** On a GPU states move between its memory and the machine's; elsewhere it must at least be allowed. */
  @Test
  void aRunGoesOnWithItsOptimizerStatesElsewhere() throws IOException {
    // With an entropy bonus every completion has a gradient, whatever its reward.
    List<String> few = List.of("model.dtype=bf16", "training.max_steps=3", "training.eval_interval=0", "grpo.entropy_coef=0.01",
        "rollout.questions_per_step=1", "rollout.answers_per_question=2", "rollout.max_new_tokens=12");
    run(config("straight", few.toArray(String[]::new)), Integer.MAX_VALUE);
    for (int step = 1; step <= 3; step++) {
      List<String> moved = new ArrayList<>(few);
      moved.add("optimizer.placement=" + List.of("offload", "host", "device").get(step - 1));
      run(config("moved", moved.toArray(String[]::new)), step);
    }
    for (String file : List.of("model/model.safetensors", "optimizer.safetensors")) {
      String path = "/checkpoints/step_000003/" + file;
      assertArrayEquals(Files.readAllBytes(folder.resolve("straight" + path)), Files.readAllBytes(folder.resolve("moved" + path)), file);
    }
    assertEquals(withoutMachine(folder.resolve("straight")), withoutMachine(folder.resolve("moved")));
  }

  @Test
  void threadsMicroBatchesAndEvaluationsDoNotChangeTraining() throws IOException {
    String steps = "training.max_steps=" + EVALUATE;
    run(config("one", "backend.threads=1", steps), Integer.MAX_VALUE);
    run(config("three", "backend.threads=3", steps, "training.eval_interval=0", "rollout.max_batch=" + TestBackends.sized(5, 3)),
        Integer.MAX_VALUE);
    assertArrayEquals(Files.readAllBytes(weights("one", EVALUATE)), Files.readAllBytes(weights("three", EVALUATE)));
  }

  @Test
  void aStopDuringARolloutKeepsTheLastWholeStep() throws IOException {
    Trainer[] running = new Trainer[1];
    TrainingListener stopInStepThree = new TrainingListener() {
      @Override
      public void phase(int step, Phase phase) {
        if (step == 3 && phase == Phase.ROLLOUT) {
          running[0].requestStop();
        }
      }
    };
    RunConfig config = config("interrupted");
    try (Trainer trainer = Trainer.open(config, stopInStepThree)) {
      running[0] = trainer;
      assertEquals(Outcome.STOPPED, trainer.run());
    }
    assertTrue(Files.isDirectory(folder.resolve("interrupted/checkpoints/step_000002")));
    run(config, Integer.MAX_VALUE);
    run(config("straight"), Integer.MAX_VALUE);
    assertSameRun(folder.resolve("straight"), folder.resolve("interrupted"), STEPS);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aStopDuringAnEvaluationIsMadeUpFor(boolean first) throws IOException {
    int evaluated = first ? 0 : EVALUATE;
    int steps = TestBackends.sized(6, 3);
    Trainer[] running = new Trainer[1];
    TrainingListener stop = new TrainingListener() {
      @Override
      public void phase(int step, Phase phase) {
        if (step == evaluated && phase == Phase.EVALUATION) {
          running[0].requestStop();
        }
      }
    };
    RunConfig config = config("interrupted", "training.max_steps=" + steps);
    try (Trainer trainer = Trainer.open(config, stop)) {
      running[0] = trainer;
      assertEquals(Outcome.STOPPED, trainer.run());
    }
    assertTrue(Files.isDirectory(folder.resolve(String.format("interrupted/checkpoints/step_%06d", evaluated))));
    run(config, Integer.MAX_VALUE);
    run(config("straight", "training.max_steps=" + steps), Integer.MAX_VALUE);
    assertSameRun(folder.resolve("straight"), folder.resolve("interrupted"), steps);
  }

  @Test
  void anotherConfigurationOrOtherDataIsRefused() {
    run(config("first"), 1);
    CheckpointException options = assertThrows(CheckpointException.class, () -> run(config("first", "rollout.temperature=0.7"), 2));
    assertTrue(options.getMessage().contains("rollout.temperature was 1"), options.getMessage());
    CheckpointException data = assertThrows(CheckpointException.class, () -> run(config("first", "data.train_limit=1000"), 2));
    assertTrue(data.getMessage().contains("other problems"), data.getMessage());
  }

  @Test
  void startingOverMovesTheEarlierRunAside() throws IOException {
    run(config("again"), 1);
    byte[] earlier = Files.readAllBytes(folder.resolve("again/metrics.jsonl"));
    run(config("again", "training.resume=never"), 1);
    assertArrayEquals(earlier, Files.readAllBytes(folder.resolve("again.1/metrics.jsonl")));
    assertTrue(Files.isDirectory(folder.resolve("again/checkpoints/step_000001")));
  }

  @Test
  void aCheckpointCanBeContinuedElsewhere() throws IOException {
    run(config("origin"), STOP);
    run(config("origin"), Integer.MAX_VALUE);
    Path checkpoint = folder.resolve(String.format("origin/checkpoints/step_%06d", STEPS));
    assertEquals(Outcome.COMPLETED,
        run(config("branch", "training.resume=" + checkpoint, "training.max_steps=" + (STEPS + 1)), Integer.MAX_VALUE));
    assertEquals(STEPS + 1, lastMetrics("branch").path("step").asInt());
  }

  @Test
  void decodingAndTrainingAgreeExactlyInTheFirstUpdate() throws IOException {
    run(config("mismatch", "training.max_steps=2"), Integer.MAX_VALUE);
    assertEquals(0.0, lastMetrics("mismatch").path(Metrics.LOGP_DIFFERENCE_MAX).doubleValue());
  }

  @Test
  void accuracyRisesOnHeldOutProblems() throws IOException {
    TestBackends.assumeCpu("needs some ten thousand completions; DemoOnCudaTest shows that training is the CPU's");
    String[] recipe = {"data.train_limit=0", "data.eval_limit=0", "rollout.questions_per_step=32", "rollout.answers_per_question=8",
        "training.max_steps=16", "training.eval_interval=16", "training.checkpoint_interval=0", "optimizer.schedule=constant"};
    run(config("learns", recipe), Integer.MAX_VALUE);
    double before = metrics("learns", 0).path(Metrics.EVAL_ACCURACY_SAMPLED).doubleValue();
    double after = lastMetrics("learns").path(Metrics.EVAL_ACCURACY_SAMPLED).doubleValue();
    assertTrue(after > before + 0.1, "sampled accuracy went from " + before + " to " + after);

    String[] control = Stream.concat(Stream.of(recipe), Stream.of("training.shuffle_rewards=true")).toArray(String[]::new);
    run(config("control", control), Integer.MAX_VALUE);
    double shuffled = lastMetrics("control").path(Metrics.EVAL_ACCURACY_SAMPLED).doubleValue();
    assertTrue(shuffled <= before, "with rewards dealt at random sampled accuracy went from " + before + " to " + shuffled);
  }

  @Test
  void memoryDoesNotGrowFromStepToStep() throws IOException {
    int steps = TestBackends.sized(30, 6);
    RunConfig config = config("steady", "rollout.questions_per_step=" + TestBackends.sized(4, 2), "grpo.kl_coef=0.05", "training.max_steps=" + steps,
        "training.eval_interval=" + steps / 3, "training.checkpoint_interval=" + steps / 3);
    Trainer trainer = Trainer.open(config, TrainingListener.NONE);
    try (trainer) {
      long taken = trainer.allocatedBytes();
      trainer.run();
      assertEquals(taken, trainer.allocatedBytes());
      for (int step = 1; step <= steps; step++) {
        assertEquals(taken / (double) (1 << 20), metrics("steady", step).path("memory/native_mib").doubleValue(), 1e-9, "after step " + step);
      }
    }
    assertEquals(0, trainer.allocatedBytes(), "after the end");
  }

  private Path weights(String name, int step) {
    return folder.resolve(name).resolve(String.format("checkpoints/step_%06d/model/model.safetensors", step));
  }

  private JsonNode metrics(String name, int line) throws IOException {
    return new ObjectMapper().readTree(Files.readAllLines(folder.resolve(name).resolve("metrics.jsonl")).get(line));
  }

  private JsonNode lastMetrics(String name) throws IOException {
    return metrics(name, Files.readAllLines(folder.resolve(name).resolve("metrics.jsonl")).size() - 1);
  }

  private static void assertSameRun(Path expected, Path actual, int step) throws IOException {
    String checkpoint = String.format("checkpoints/step_%06d/", step);
    for (String file : List.of(checkpoint + "model/model.safetensors", checkpoint + "optimizer.safetensors", "model/model.safetensors", "samples.jsonl",
        "eval/traces.jsonl", String.format("eval/step_%06d.jsonl", step))) {
      assertArrayEquals(Files.readAllBytes(expected.resolve(file)), Files.readAllBytes(actual.resolve(file)), file);
    }
    assertEquals(withoutMachine(expected), withoutMachine(actual));
  }

  private static List<String> withoutMachine(Path run) throws IOException {
    return Files.readAllLines(run.resolve("metrics.jsonl")).stream().map(Metrics::withoutMachine).toList();
  }
}
