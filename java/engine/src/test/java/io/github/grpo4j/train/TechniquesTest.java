package io.github.grpo4j.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.grpo4j.config.ConfigLoader;
import io.github.grpo4j.config.LoadedConfig;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.track.Metrics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every technique in a run of the built-in model, by its configuration alone. */
class TechniquesTest {
  private static final String TINY = """
      model: {path: "builtin:tiny"}
      data: {kind: synthetic, train_limit: 24, eval_limit: 4, max_prompt_tokens: 96}
      prompt: {chat: false, system: "", user: "{question}\\n", response_prefix: ""}
      rollout: {questions_per_step: 4, answers_per_question: 6, max_new_tokens: 20}
      reward: {kind: gsm8k}
      optimizer: {learning_rate: 4.0e-4, betas: [0.9, 0.99]}
      training: {max_steps: 3, eval_interval: 0, checkpoint_interval: 0}
      """;

  @TempDir Path folder;

  private LoadedConfig load(String yaml, String run, String... assignments) {
    List<String> all = new ArrayList<>(List.of(assignments));
    all.add("training.run_dir=" + folder.resolve(run));
    return ConfigLoader.read(yaml, "test.yaml", all);
  }

  private static List<Map<String, Number>> train(RunConfig config, int lastStep) {
    List<Map<String, Number>> rows = new ArrayList<>();
    TrainingListener listener = new TrainingListener() {
      @Override
      public void step(int step, Map<String, Number> metrics) {
        rows.add(metrics);
      }
    };
    try (Trainer trainer = Trainer.open(config, listener)) {
      trainer.run(lastStep);
    }
    return rows;
  }

  @ParameterizedTest
  @ValueSource(strings = {
      "grpo.surrogate=dynamic", "grpo.surrogate=none", "grpo.surrogate={kind: ppo, level: sequence, low: 0.02, high: 0.02}",
      "grpo.surrogate={kind: ppo, ratio_cap: 1.5, dual_clip: 1.5}", "grpo.aggregation=sequence_mean", "grpo.aggregation=sequence_sum",
      "grpo.aggregation=constant", "grpo.aggregation=bucket_mean", "grpo.kl={kind: k1, coef: 0.05}", "grpo.kl={kind: k2, coef: 0.05}",
      "grpo.kl={kind: k3, coef: 0.05}", "grpo.kl={kind: exact, coef: 0.05}", "grpo.kl={kind: k1, coef: 0.05, where: reward}",
      "grpo.advantage=batch", "grpo.advantage=none", "grpo.advantage=normalize_then_sum", "grpo.weighting=additive", "grpo.weighting=ratio",
      "grpo.weighting=logistic", "grpo.weighting=focal", "grpo.weighting=softmax", "grpo.grouping=length_bucket", "grpo.overlong=drop",
      "grpo.overlong=mask", "grpo.overlong=soft_penalty", "grpo.shaping=[similarity]",
      "grpo.shaping=[{kind: similarity, mode: loo_baseline, source: reference, pool: last, context: prompt_and_response}]",
      "grpo.entropy_coef=0.01", "grpo.logprob_temperature=one", "data.curriculum=easy_to_hard", "data.curriculum=bucketed_shuffle"})
  void everyTechniqueTrainsWithNumbers(String technique) {
    TestBackends.assumeCpu("what differs between back ends is tested op by op");
    RunConfig config = load(TINY, "run", technique, "grpo.updates_per_rollout=2", "rollout.temperature=0.9").config();
    List<Map<String, Number>> rows = train(config, Integer.MAX_VALUE);
    assertEquals(3, rows.size());
    for (Map<String, Number> row : rows) {
      row.forEach((name, value) -> assertTrue(Double.isFinite(value.doubleValue()), name + " is " + value));
      assertTrue(row.get("grad_norm").doubleValue() > 0, "something is learnt");
    }
  }

  /** What each of these keeps from step to step must be in the checkpoint: accuracies by problem, a reference that moves. */
  @Test
  void aRunWithEveryStatefulTechniqueGoesOnToTheByte() throws IOException {
    TestBackends.assumeCpu("checkpoints know nothing of the back end");
    String[] stateful = {"data.curriculum={kind: near_half, window: 2}", "grpo.kl={kind: k3, coef: 0.05}",
        "grpo.reference_refresh={kind: mix, every: 2, alpha: 0.5}", "grpo.weighting=additive", "grpo.grouping=length_bucket",
        "grpo.shaping=[{kind: similarity, source: reference}]", "data.train_limit=8", "training.epochs=4", "training.max_steps=7",
        "grpo.surrogate=dynamic", "grpo.updates_per_rollout=2"};
    train(load(TINY, "straight", stateful).config(), Integer.MAX_VALUE);
    for (int stop : new int[] {3, 5, Integer.MAX_VALUE}) {
      train(load(TINY, "stopped", stateful).config(), stop);
    }
    for (String file : List.of("model/model.safetensors", "samples.jsonl", "checkpoints/step_000007/optimizer.safetensors",
        "checkpoints/step_000007/reference/model.safetensors")) {
      assertArrayEquals(
          Files.readAllBytes(folder.resolve("straight").resolve(file)), Files.readAllBytes(folder.resolve("stopped").resolve(file)), file);
    }
    assertEquals(metrics("straight"), metrics("stopped"));
    assertEquals(modules("straight"), modules("stopped"));
  }

  private JsonNode modules(String run) throws IOException {
    return new ObjectMapper().readTree(folder.resolve(run).resolve("checkpoints/step_000007/state.json").toFile()).required("modules");
  }

  private List<String> metrics(String run) throws IOException {
    return Files.readAllLines(folder.resolve(run).resolve("metrics.jsonl")).stream().map(Metrics::withoutMachine).toList();
  }

  /** The keys of a public study of GRPO on GSM8K, every switch on, as its authors wrote them; only model and data are ours. */
  @Test
  void aConfigurationOfTheOriginalRunsUnchanged() {
    TestBackends.assumeCpu("keys know nothing of the back end");
    LoadedConfig loaded = load("""
        model:
          pretrained_model_path: "builtin:tiny"
          device: cpu
          dtype: float32
          use_multi_gpu: false
        data:
          kind: synthetic
          config_name: main
          test_size: 128
          train_limit: 24
          eval_limit: 4
        prompt: {chat: false, system: "", user: "{question}\\n", response_prefix: ""}
        reward: {kind: gsm8k}
        training:
          random_seed: 1337
          max_prompt_len: 96
          max_gen_len: 16
          batch_size: 24
          num_questions_per_batch: 4
          micro_batch_size: 2
          max_grad_norm: 1.0
          learning_rate: 4.0e-4
          weight_decay: 0.0
          betas: [0.9, 0.99]
          temperature: 0.9
          num_epochs: 2
          max_steps: 8
          eval_interval: 4
          ckpt_save_interval: 100
          eval_results_dir: eval_results
          log_dir: logs
          skip_unfinished_episodes: true
          memory_efficient_adamw: true
          use_dynamic_clipping: true
          epsilon_low: 0.2
          epsilon_high: 0.2
          clip_ratio: 0.2
          use_kl_penalty: true
          kl_coeff: 0.02
          use_length_grouping: true
          use_difficulty_sorting: true
          use_difficulty_aware_scaling: true
          difficulty_weight_min: 0.5
          difficulty_weight_max: 2.0
          use_similarity_weighting: true
          use_ref_for_similarity_weighting: false
          similarity_weighting_config: {depth: 2, tau: 1.0, alpha: 0.05}
          enable_prefix: true
          prefix_file: prefixes.json
          prefix_use_prob: 0.5
          prefix_dropout_prob: 1.0
          prefix_sft_coeff: 0.2
          prefix_teacher_model: deepseek/deepseek-v3.2
        wandb: {enable: true, project: mathgrpo, run_name: baseline, mode: online}
        """, "original");
    assertTrue(loaded.notes().stream().anyMatch(note -> note.contains("wandb.project") && note.contains("needs an account")), "" + loaded.notes());
    assertTrue(loaded.notes().stream().anyMatch(note -> note.contains("training.prefix_teacher_model")), "" + loaded.notes());
    assertEquals(6, loaded.config().rollout().answersPerQuestion());
    List<Map<String, Number>> rows = train(loaded.config(), Integer.MAX_VALUE);
    Map<String, Number> last = rows.get(rows.size() - 1);
    for (String metric : List.of("kl", "difficulty/weight_mean", "similarity/reward_shift_mean", "length_bucket/medium", "overlong/dropped",
        "clip_ratio/outside_low_mean")) {
      assertTrue(Double.isFinite(last.get(metric).doubleValue()), metric + " in " + last);
    }
  }
}
