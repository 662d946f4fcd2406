package io.github.grpo4j.referee;

import io.github.grpo4j.config.ConfigLoader;
import io.github.grpo4j.data.Problem;
import io.github.grpo4j.data.SyntheticArithmetic;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.ScoredEpisode;
import io.github.grpo4j.rollout.RolloutListener;
import io.github.grpo4j.train.Trainer;
import io.github.grpo4j.train.TrainingListener;
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
      data: {kind: synthetic, max_prompt_tokens: 96}
      prompt: {chat: false, system: "", user: "{question}\\n", response_prefix: ""}
      training: {checkpoint_interval: 0}
      """;
  private static final String END = "<|im_end|>";

  final List<List<Sampled>> steps = new ArrayList<>();
  final Map<Integer, Map<String, Number>> metrics = new LinkedHashMap<>();
  /** By the step that they end: the greedy rollout, and the sampled one. */
  final Map<Integer, List<List<Sampled>>> evaluations = new LinkedHashMap<>();
  private final List<Problem> heldOut = SyntheticArithmetic.test().problems();
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
      public RolloutListener rolloutListener(int step, Phase phase) {
        return phase == Phase.EVALUATION ? run.evaluation(step) : RolloutListener.NONE;
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

  Path weights() {
    return folder.resolve("model/model.safetensors");
  }

  private RolloutListener evaluation(int step) {
    List<Sampled> answers = new ArrayList<>();
    evaluations.computeIfAbsent(step, s -> new ArrayList<>()).add(answers);
    return new RolloutListener() {
      @Override
      public void ended(int request, int answer, Episode episode) {
        answers.add(sampled(episode, request, heldOut.get(request).answer()));
      }
    };
  }

  private static Sampled sampled(ScoredEpisode scored) {
    return sampled(scored.episode(), scored.group(), scored.problem().answer());
  }

  private static Sampled sampled(Episode episode, int group, String gold) {
    String text = episode.text();
    boolean ended = text.endsWith(END);
    return new Sampled(episode.problem(), group, episode.promptIds(), episode.tokenIds(), doubles(episode.logprobs()),
        doubles(episode.entropies()), ended, ended ? text.substring(0, text.length() - END.length()) : text, gold);
  }

  private static double[] doubles(float[] values) {
    double[] result = new double[values.length];
    for (int i = 0; i < result.length; i++) {
      result[i] = values[i];
    }
    return result;
  }
}
