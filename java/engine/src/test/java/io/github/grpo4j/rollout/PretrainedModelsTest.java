package io.github.grpo4j.rollout;

import static io.github.grpo4j.testing.Accuracy.assertMaxAbs;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.CausalLm.Recompute;
import io.github.grpo4j.model.LossHead.Scores;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.PackedBatch;
import io.github.grpo4j.rollout.Generator.Limits;
import io.github.grpo4j.rollout.Generator.Rollout;
import io.github.grpo4j.testing.LargeAssets;
import io.github.grpo4j.testing.OpenModel;
import io.github.grpo4j.text.Tokenizer;
import io.github.grpo4j.update.GradientPass;
import io.github.grpo4j.update.GradientPass.Sample;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Trained models against transformers: the same tokens, the same log-probs. */
class PretrainedModelsTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String QWEN = "grpo4j.qwen";

  @Test
  void storiesAreToldTokenForToken() throws IOException {
    Path directory = LargeAssets.require("models/stories260k-qwen2");
    JsonNode golden = JSON.readTree(directory.resolve("golden.json").toFile());
    int[] ids = ints(golden.path("ids"));
    try (OpenModel open = OpenModel.load(directory, DType.F32, 2, 256);
        Generator generator = new Generator(open.model(), Limits.of(1, 256), Set.of(), 512, Arrays::toString)) {
      RolloutRequest request = new RolloutRequest(0, new int[] {ids[0]}, 1);
      Episode episode = generator.generate(List.of(request), SamplingParams.greedy(ids.length - 1), 1, 0, RolloutListener.NONE)
          .episodes().get(0);
      assertArrayEquals(Arrays.copyOfRange(ids, 1, ids.length), episode.tokenIds());
      assertMaxAbs("log-probs", doubles(golden.path("logprobs")), episode.logprobs(), 1e-4);
      for (int position : new int[] {0, 100}) {
        double[] expected = doubles(golden.path("logits_pos" + position + "_first16"));
        assertMaxAbs("logits after token " + position, expected, logits(open, Arrays.copyOf(ids, position + 1), expected.length), 1e-3);
      }
    }
  }

  @Test
  void smallProblemsAreAnsweredLikeTheReference() throws IOException {
    Path directory = LargeAssets.require("models/tiny-math-sft-qwen2");
    JsonNode golden = JSON.readTree(directory.resolve("golden.json").toFile());
    try (OpenModel open = OpenModel.load(directory, DType.F32, 2, 256);
        Tokenizer tokenizer = Tokenizer.load(directory);
        GradientPass pass = new GradientPass(open.model(), 256, 256, Recompute.LAYER)) {
      int[] ids = ints(golden.path("ids"));
      int end = open.config().eosTokenId();
      int[] encoded = tokenizer.encode(golden.path("prompt").asText() + golden.path("solution").asText());
      assertArrayEquals(Arrays.copyOf(ids, ids.length - 1), encoded);
      assertEquals(end, ids[ids.length - 1]);
      Scores scores = pass.score(List.of(new Sample(ids, 1)), 1).get(0);
      assertMaxAbs("log-probs", doubles(golden.path("logprobs")), scores.logprob(), 1e-4);

      List<String> problems = Files.readAllLines(directory.resolve("test.jsonl")).subList(0, golden.path("greedy").size());
      List<RolloutRequest> requests = new ArrayList<>();
      for (String line : problems) {
        requests.add(new RolloutRequest(requests.size(), tokenizer.encode(JSON.readTree(line).path("question").asText() + "\n"), 1));
      }
      try (Generator generator = new Generator(open.model(), Limits.of(8, 256), Set.of(end), tokenizer.vocabUsed(), tokenizer::decode)) {
        Rollout rollout = generator.generate(requests, SamplingParams.greedy(30), 1, 0, RolloutListener.NONE);
        for (Episode episode : rollout.episodes()) {
          assertTrue(episode.finished());
          int[] completion = Arrays.copyOf(episode.tokenIds(), episode.tokenIds().length - 1);
          assertEquals(golden.path("greedy").get(episode.problem()).asText(), tokenizer.decode(completion));
          assertEquals(tokenizer.decode(completion) + "<|im_end|>", episode.text());
        }
      }
    }
  }

  /**
   * Qwen2.5-Coder-0.5B-Instruct, from the directory that {@code -Dgrpo4j.qwen=DIR} names; takes 3 GB and minutes. Tokens must be
   * the reference's in fp32; in bf16 they may leave its path, and the test says where.
   */
  @ParameterizedTest
  @EnumSource(value = DType.class, names = {"F32", "BF16"})
  @EnabledIfSystemProperty(named = QWEN, matches = ".+")
  void qwenAnswersLikeTheReference(DType dtype) throws IOException {
    JsonNode golden = JSON.readTree(LargeAssets.require("models/qwen2.5-coder-0.5b-instruct/golden.json").toFile());
    Path directory = Path.of(System.getProperty(QWEN));
    try (OpenModel open = OpenModel.load(directory, dtype, Runtime.getRuntime().availableProcessors(), 512);
        Tokenizer tokenizer = Tokenizer.load(directory);
        Generator generator = new Generator(open.model(), Limits.of(5, 512), Set.of(), tokenizer.vocabUsed(), tokenizer::decode)) {
      List<RolloutRequest> requests = new ArrayList<>();
      int limit = 0;
      for (JsonNode example : golden.path("cases")) {
        int[] prompt = tokenizer.encode(example.path("prompt_text").asText());
        assertArrayEquals(ints(example.path("prompt_ids")), prompt);
        requests.add(new RolloutRequest(requests.size(), prompt, 1));
        limit = Math.max(limit, example.path("new_ids").size());
      }
      Rollout rollout = generator.generate(requests, SamplingParams.greedy(limit), 1, 0, RolloutListener.NONE);
      System.out.printf("%s %s: %.1f tokens/s decoding %d rows, %.0f tokens/s prefill%n", open.backend().description(), dtype,
          rollout.stats().newTokens() / (rollout.stats().decodeSeconds() + rollout.stats().sampleSeconds()), requests.size(),
          rollout.stats().promptTokens() / rollout.stats().prefillSeconds());
      for (int i = 0; i < requests.size(); i++) {
        JsonNode example = golden.path("cases").get(i);
        Episode episode = rollout.episodes().get(i);
        int[] expected = ints(example.path("new_ids"));
        int same = Arrays.mismatch(expected, episode.tokenIds());
        double[] logprobs = doubles(example.path("logprobs"));
        int compared = same < 0 ? expected.length : same;
        double worst = 0;
        for (int t = 0; t < compared; t++) {
          worst = Math.max(worst, Math.abs(logprobs[t] - episode.logprobs()[t]));
        }
        System.out.printf("%s prompt %d: %d of %d tokens equal, largest difference of log-probs %.2g%n", dtype, i, compared,
            expected.length, worst);
        if (dtype == DType.F32) {
          assertArrayEquals(expected, episode.tokenIds(), "prompt " + i);
          assertMaxAbs("log-probs of prompt " + i, logprobs, episode.logprobs(), 1e-3);
          assertMaxAbs("entropies of prompt " + i, doubles(example.path("entropies")), episode.entropies(), 1e-3);
          double[] first = doubles(example.path("first_logits_16"));
          assertMaxAbs("logits after prompt " + i, first, logits(open, requests.get(i).promptIds(), first.length), 1e-3);
        }
      }
    }
  }

  /** The first logits after the last token of a sequence, by the training forward pass. */
  private static float[] logits(OpenModel open, int[] ids, int count) {
    ModelConfig config = open.config();
    DType dtype = open.weights().dtype();
    try (Arena arena = new Arena(open.backend(), CausalLm.trainingBytes(config, dtype, ids.length, Recompute.LAYER), "test", "nothing");
        Tensor logits = open.backend().allocate(DType.F32, Layout.ROWS, 1, config.vocabSize())) {
      PackedBatch batch = PackedBatch.of(open.backend(), arena, List.of(ids), config.vocabSize());
      Tensor normed = open.model().forward(batch, arena, Recompute.LAYER).normed();
      open.model().logits(logits, normed.rows(ids.length - 1, 1));
      float[] all = new float[config.vocabSize()];
      open.backend().download(logits, all, 0);
      return Arrays.copyOf(all, count);
    }
  }

  private static int[] ints(JsonNode array) {
    return JSON.convertValue(array, int[].class);
  }

  private static double[] doubles(JsonNode array) {
    return JSON.convertValue(array, double[].class);
  }
}
