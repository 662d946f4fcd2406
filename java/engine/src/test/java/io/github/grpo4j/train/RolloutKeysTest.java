package io.github.grpo4j.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import io.github.grpo4j.config.ConfigLoader;
import io.github.grpo4j.episode.ScoredEpisode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a run samples depends on its seed and on the step, where nothing else does: one problem, and weights that stay as they are. */
class RolloutKeysTest {
  @TempDir Path folder;

  /** The texts of each step. */
  private List<List<String>> run(int seed) {
    List<List<String>> steps = new ArrayList<>();
    TrainingListener listener = new TrainingListener() {
      @Override
      public void episodes(int step, List<ScoredEpisode> episodes) {
        steps.add(episodes.stream().map(scored -> scored.episode().text()).toList());
      }
    };
    try (Trainer trainer = Trainer.open(ConfigLoader.parse("""
        model: {path: "builtin:tiny"}
        data: {kind: gsm8k, max_prompt_tokens: 96}
        prompt: {chat: false, system: "", user: "{question}\\n", response_prefix: ""}
        rollout: {questions_per_step: 1, answers_per_question: 3, max_new_tokens: 12, temperature: 3}
        optimizer: {learning_rate: 1.0e-300}
        training: {epochs: 2, eval_interval: 0, checkpoint_interval: 0, micro_batch_tokens: 256}
        """, "test", List.of("training.seed=" + seed, "training.run_dir=" + folder.resolve("run" + seed), "training.resume=never", "data.path=" + data())), listener)) {
      trainer.run();
    }
    return steps;
  }

  /** A file, as synthetic problems have the seed for a key themselves. */
  private Path data() {
    try {
      Path data = Files.createDirectories(folder.resolve("data"));
      for (String split : List.of("train", "test")) {
        Files.writeString(data.resolve(split + ".jsonl"), "{\"question\": \"Mia has 3 pens. Mia buys 4 more. How many pens now?\", \"answer\": \"3+4=7\\n#### 7\"}\n");
      }
      return data;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void seedAndStepAreKeys() {
    List<List<String>> first = run(0);
    assertEquals(2, first.size());
    assertNotEquals(first.get(0), first.get(1), "two steps");
    assertNotEquals(first, run(1), "two seeds");
    assertEquals(first, run(0), "the same seed again");
  }
}
