package io.github.grpo4j.referee;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.grpo4j.config.ConfigLoader;
import io.github.grpo4j.episode.ScoredEpisode;
import io.github.grpo4j.train.Trainer;
import io.github.grpo4j.train.TrainingListener;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A run of the engine as the referee sees it: what each step sampled, its row of metrics, and where the weights are. All that the referee
 * knows of the trainer is here.
 */
final class RefereedRun {
  private static final String BASE = """
      model: {path: "builtin:tiny", dtype: f32}
      backend: {device: cpu, threads: 2}
      data: {kind: synthetic, eval_limit: 3, max_prompt_tokens: 96}
      prompt: {chat: false, system: "", user: "{question}\\n", response_prefix: ""}
      training: {eval_interval: 3, checkpoint_interval: 1, keep_checkpoints: 100}
      """;
  private static final String END = "<|im_end|>";

  final List<List<Sampled>> steps = new ArrayList<>();
  final Map<Integer, Map<String, Number>> metrics = new LinkedHashMap<>();
  final Path folder;

  private RefereedRun(Path folder) {
    this.folder = folder;
  }

  /** @param stops the run is stopped after each of these steps and opened again */
  static RefereedRun of(List<String> assignments, Path folder, int... stops) {
    RefereedRun run = new RefereedRun(folder);
    List<String> all = new ArrayList<>(assignments);
    all.add("training.run_dir=" + folder);
    TrainingListener listener = new TrainingListener() {
      @Override
      public void episodes(int step, List<ScoredEpisode> episodes) {
        run.steps.add(episodes.stream().map(RefereedRun::sampled).toList());
      }

      @Override
      public void step(int step, Map<String, Number> row) {
        run.metrics.put(step, row);
      }
    };
    for (int k = 0; k <= stops.length; k++) {
      try (Trainer trainer = Trainer.open(ConfigLoader.parse(BASE, "referee", all), listener)) {
        trainer.run(k < stops.length ? stops[k] : Integer.MAX_VALUE);
      }
    }
    return run;
  }

  /** Weights after a step. */
  Path weights(int step) {
    return folder.resolve("checkpoints/step_%06d/model/model.safetensors".formatted(step));
  }

  /** Completions of an evaluation, as its file has them. */
  List<Sampled> evaluation(int step, String split) throws IOException {
    List<Sampled> all = new ArrayList<>();
    for (String line : Files.readAllLines(folder.resolve("eval/step_%06d.jsonl".formatted(step)))) {
      JsonNode node = new ObjectMapper().readTree(line);
      if (node.get("split").asText().equals(split)) {
        String text = node.get("response").asText();
        boolean ended = text.endsWith(END);
        all.add(new Sampled(node.get("problem").asInt(), all.size(), new int[0], new int[node.get("tokens").asInt()], new double[0], new double[0], ended,
            ended ? text.substring(0, text.length() - END.length()) : text, node.get("gold").asText()));
      }
    }
    return all;
  }

  private static Sampled sampled(ScoredEpisode scored) {
    var episode = scored.episode();
    String text = episode.text();
    boolean ended = text.endsWith(END);
    return new Sampled(episode.problem(), scored.group(), episode.promptIds(), episode.tokenIds(), doubles(episode.logprobs()),
        doubles(episode.entropies()), ended, ended ? text.substring(0, text.length() - END.length()) : text, scored.problem().answer());
  }

  private static double[] doubles(float[] values) {
    double[] result = new double[values.length];
    for (int i = 0; i < result.length; i++) {
      result[i] = values[i];
    }
    return result;
  }
}
