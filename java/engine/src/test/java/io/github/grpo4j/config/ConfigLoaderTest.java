package io.github.grpo4j.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.DType;
import io.github.grpo4j.grpo.credit.StandardDeviation;
import io.github.grpo4j.grpo.credit.advantage.BatchNormalized;
import io.github.grpo4j.grpo.loss.KlPenalty;
import io.github.grpo4j.grpo.loss.aggregation.Constant;
import io.github.grpo4j.grpo.loss.aggregation.SequenceMean;
import io.github.grpo4j.grpo.loss.kl.K2;
import io.github.grpo4j.grpo.loss.surrogate.PpoClip;
import io.github.grpo4j.grpo.loss.surrogate.Unclipped;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConfigLoaderTest {
  private static RunConfig parse(String yaml, String... assignments) {
    return ConfigLoader.parse(yaml, "c.yaml", List.of(assignments));
  }

  private static String error(String yaml, String... assignments) {
    return assertThrows(ConfigException.class, () -> parse(yaml, assignments), yaml).getMessage();
  }

  @Test
  void anEmptyFileGivesTheDefaults() {
    assertEquals(RunConfig.DEFAULTS, parse(""));
    assertEquals(RunConfig.DEFAULTS, parse("# only a comment\n"));
    assertEquals(RunConfig.DEFAULTS, parse("model:\ntraining:\n  max_steps:\n  seed: ~\n"));
  }

  @Test
  void readsEveryKindOfValue() {
    RunConfig config = parse("""
        model: {path: "a b", dtype: bf16}
        rollout:
          temperature: 1e-2
          top_k: 1_000
        optimizer: {betas: [0.8, .9], learning_rate: 2}
        training: {seed: 9000000000, shuffle_rewards: true, run_dir: 12}
        grpo: {aggregation: sequence_mean, kl: k1}
        """);
    assertEquals(new ModelOptions("a b", DType.BF16), config.model());
    assertEquals(0.01, config.rollout().temperature());
    assertEquals(1000, config.rollout().topK());
    assertEquals(List.of(0.8, 0.9), config.optimizer().betas());
    assertEquals(2.0, config.optimizer().learningRate());
    assertEquals(9_000_000_000L, config.training().seed());
    assertEquals("12", config.training().runDir());
    assertEquals(new SequenceMean(), config.grpo().aggregation());
  }

  @ParameterizedTest
  @CsvSource({"f32, F32", "fp32, F32", "float32, F32", "bf16, BF16", "bfloat16, BF16", "f16, F16", "fp16, F16", "float16, F16"})
  void storageTypesHaveTheNamesThatOthersGiveThem(String name, DType dtype) {
    assertEquals(dtype, parse("model: {dtype: " + name + "}").model().dtype());
    assertEquals(dtype, parse("", "model.dtype=" + name).model().dtype());
  }

  @Test
  void assignmentsWinOverTheFile() {
    RunConfig config = parse("training: {max_steps: 5}", "training.max_steps=7", "optimizer.betas=[0.5, 0.6]",
        "prompt.user=Q: {question}", "training.num_epochs=3", "prompt.system=a: b # c", "training.shuffle_rewards=true");
    assertEquals(7, config.training().maxSteps());
    assertEquals(List.of(0.5, 0.6), config.optimizer().betas());
    assertEquals("Q: {question}", config.prompt().user());
    assertEquals("a: b # c", config.prompt().system());
    assertEquals(3, config.training().epochs());
    assertTrue(config.training().shuffleRewards());
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
      "rollout:\\n  temprature: 1 | c.yaml:2: unknown key \"rollout.temprature\"; did you mean rollout.temperature?",
      "training:\\n  max_new_tokens: 1 | c.yaml:2: unknown key \"training.max_new_tokens\"; did you mean rollout.max_new_tokens?",
      "reward:\\n  xyzzyx: 1 | c.yaml:2: unknown key \"reward.xyzzyx\"; the keys of reward are function, others, timeout_s",
      "trainig: {} | c.yaml:1: unknown group \"trainig\"; did you mean training?",
      "rollout:\\n\\n  temperature: hot | c.yaml:3: rollout.temperature is \"hot\"; it must be a number",
      "rollout:\\n  temperature: .inf | c.yaml:2: rollout.temperature is \".inf\"; it must be a number",
      "rollout:\\n  temperature: 0 | c.yaml:2: rollout.temperature is 0.0; it must be above 0",
      "rollout:\\n  top_k: 1.5 | c.yaml:2: rollout.top_k is \"1.5\"; it must be a whole number",
      "rollout:\\n  top_k: 99999999999 | c.yaml:2: rollout.top_k is 99999999999, which is too large",
      "rollout:\\n  top_k: [1] | c.yaml:2: rollout.top_k is one value",
      "rollout:\\n  answers_per_question: 1 | c.yaml:2: rollout.answers_per_question is 1; it must be 2 or more",
      "training:\\n  shuffle_rewards: 1 | c.yaml:2: training.shuffle_rewards is \"1\"; it must be true or false",
      "optimizer:\\n  betas: 0.9 | c.yaml:2: optimizer.betas is a list",
      "optimizer:\\n  betas: [0.9] | c.yaml:2: optimizer.betas is [0.9]; it must be two numbers",
      "reward:\\n  kind: boxd | c.yaml:2: reward.kind is \"boxd\"; it must be one of think_answer, boxed, gsm8k",
      "model:\\n  dtype: i32 | c.yaml:2: model.dtype is i32; it must be f32, bf16 or f16",
      "model: {dtype: fp16}\\nbackend: {device: cpu} | c.yaml:1: model.dtype is f16, which needs an NVIDIA GPU (the CPU computes with f32 and bf16), and backend.device is cpu; set model.dtype (--dtype) to bf16 or f32",
      "model: 3 | c.yaml:1: model is a group of keys",
      "[1, 2] | c.yaml:1: a configuration consists of groups of keys",
      "model:\\n  path: a\\n  path: b | c.yaml:3: model.path is given twice, first at c.yaml:2",
      "model:\\n  path: a\\n  pretrained_model_path: b | c.yaml:3: model.pretrained_model_path is given twice, first at c.yaml:2",
      "model: {}\\nmodel: {} | c.yaml:2: the group model is given twice",
      "model:\\n  path: !!java.net.URL [x] | c.yaml:2: tags, anchors and aliases",
      "model: &a {path: b} | c.yaml:1: tags, anchors and aliases",
      "model:\\n  path: *a | c.yaml:2: tags, anchors and aliases",
      "model: {}\\n---\\nmodel: {} | c.yaml:3: a second document begins",
      "model: {path: a | c.yaml:1: not valid YAML",
      "data:\\n  kind: gsm8k | data.path is \"\"; it must be the directory or file",
      "prompt:\\n  user: hello | c.yaml:2: prompt.user is \"hello\"; it must be a text that contains {question}",
      "grpo:\\n  ratio_cap: 1.1 | c.yaml:2: grpo.ratio_cap (grpo.surrogate.ratio_cap) is 1.1; it must be above 1 + high",
      "grpo:\\n  updates_per_rollout: 33 | c.yaml:2: grpo.updates_per_rollout is 33; it must be at most 32"
  })
  void mistakesAreNamedWithTheirPlace(String yaml, String expected) {
    String message = error(yaml.replace("\\n", "\n"));
    assertTrue(message.startsWith(expected), message);
  }

  @Test
  void mistakesOnTheCommandLineAreNamed() {
    assertTrue(error("", "rollout.temperature").contains("written group.key=value"));
    assertTrue(error("", "rollout.temp=1").startsWith("--set rollout.temp=1: unknown key"));
    assertTrue(error("", "temperature=1").startsWith("--set temperature=1: unknown key"));
    assertTrue(error("", "rollout.temperature=").contains("has no value"));
    assertTrue(error("", "rollout.temperature=-1").startsWith("--set rollout.temperature=-1: rollout.temperature is -1.0;"));
    assertTrue(error("", "optimizer.betas=[1").contains("not valid YAML"));
    assertTrue(error("", "rollout.top_k=!!int 3").contains("tags"));
  }

  @Test
  void theKeysOfTheOriginalAreUnderstood() {
    RunConfig config = parse("""
        model: {pretrained_model_path: Qwen2.5-3B-Instruct, device: cuda, dtype: bfloat16}
        data: {path: gsm8k, config_name: main, kind: gsm8k}
        training:
          random_seed: 1337
          max_prompt_len: 256
          max_gen_len: 1024
          batch_size: 256
          num_questions_per_batch: 32
          micro_batch_size: 2
          max_grad_norm: 1.0
          learning_rate: 1.0e-5
          weight_decay: 0.0
          betas: [0.9, 0.999]
          temperature: 0.9
          num_epochs: 2
          max_steps: null
          eval_interval: 10
          ckpt_save_interval: 100
          clip_ratio: 0.3
        """);
    assertEquals(new ModelOptions("Qwen2.5-3B-Instruct", DType.BF16), config.model());
    assertEquals(BackendOptions.Device.CUDA, config.backend().device());
    assertEquals(8, config.rollout().answersPerQuestion());
    assertEquals(256, config.episodesPerStep());
    assertEquals(2 * (256 + 1024), config.training().microBatchTokens());
    assertEquals(new PpoClip(0.3, 0.3), config.grpo().surrogate());
    assertEquals(0.9, config.rollout().temperature());
    assertEquals(1337, config.training().seed());
    assertEquals(0, config.training().maxSteps());
    assertEquals(100, config.training().checkpointInterval());
    assertEquals(1e-5, config.optimizer().learningRate());
    assertEquals(new Unclipped(), parse("training: {clip_ratio: 0}").grpo().surrogate());
    assertTrue(error("training: {clip_ratio: 0.2}\ngrpo: {clip_low: 0.1}").contains("grpo.clip_low"));
  }

  @Test
  void theResolvedConfigurationReadsBackAsItself() {
    RunConfig config = parse("prompt: {user: \"two\\nlines: {question}\", system: 'off'}\ntraining: {run_dir: '007'}",
        "optimizer.learning_rate=3.3e-7");
    String yaml = ConfigLoader.toYaml(config);
    assertEquals(config, parse(yaml), yaml);
    assertEquals(ConfigLoader.options().size(), yaml.lines().filter(line -> line.matches("  [a-z_]+:.*")).count(), yaml);
  }

  @Test
  void choicesBecomeTheObjective() {
    RunConfig config = parse("grpo: {aggregation: constant, kl: k2, kl_coef: 0.1, kl_times_ratio: false, clip_high: 0.28, advantage: batch, std: sample}");
    assertEquals(new Constant(), config.grpo().aggregation());
    assertEquals(new K2(0.1, false, KlPenalty.Where.LOSS), config.grpo().kl());
    assertEquals(new PpoClip(0.2, 0.28), config.grpo().surrogate());
    assertEquals(new BatchNormalized(StandardDeviation.SAMPLE, 1e-4), config.grpo().advantage());
  }

  @Test
  void hostileYamlIsRefusedQuickly() {
    List<String> hostile = List.of("[".repeat(100_000), "{a: ".repeat(100_000), "a: &a [x]\n".repeat(50_000),
        "? ".repeat(100_000), "model:\n  path: |\n" + "    x\n".repeat(300_000), "\u0000", "model: {path: \"\\ud800\"", "%YAML 9.9\n---\n");
    for (String yaml : hostile) {
      assertTimeoutPreemptively(Duration.ofMinutes(2), () -> assertThrows(ConfigException.class, () -> parse(yaml)));
    }
  }

  @Test
  void filesThatCannotBeReadAreNamed(@TempDir Path folder) throws Exception {
    Path missing = folder.resolve("no.yaml");
    assertTrue(assertThrows(ConfigException.class, () -> ConfigLoader.load(missing, List.of())).getMessage().contains("does not exist"));
    Path binary = Files.write(folder.resolve("bin.yaml"), new byte[] {(byte) 0xff, (byte) 0xfe, 0, (byte) 0x80});
    assertTrue(assertThrows(ConfigException.class, () -> ConfigLoader.load(binary, List.of())).getMessage().contains("UTF-8"));
  }

  @Test
  void editDistance() {
    assertEquals(0, Suggestions.editDistance("abc", "abc"));
    assertEquals(3, Suggestions.editDistance("kitten", "sitting"));
    assertEquals(4, Suggestions.editDistance("", "four"));
  }
}
