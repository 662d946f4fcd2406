package io.github.grpo4j.rollout;

import static io.github.grpo4j.testing.Accuracy.assertMaxAbs;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.testing.Fixtures;
import io.github.grpo4j.testing.OpenModel;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Greedy decoding against transformers' {@code generate}, token for token. */
@Tag("fixtures")
class GenerateFixtureTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String PENALTY = "repetition_penalty_";

  static List<String> files() {
    return Fixtures.find("generate", ".+\\.json");
  }

  @ParameterizedTest
  @MethodSource("files")
  void greedyTokensAndLogprobs(String name) throws IOException {
    JsonNode golden = Fixtures.json(name);
    int limit = golden.path("max_new_tokens").asInt();
    List<Episode> episodes = generate(golden, Set.of(), SamplingParams.greedy(limit));
    assertTokens(golden.path("greedy"), episodes);
    for (int i = 0; i < episodes.size(); i++) {
      double[] expected = JSON.convertValue(golden.path("greedy_logprobs_f64").get(i), double[].class);
      assertMaxAbs(name + " log-probs of prompt " + i, expected, episodes.get(i).logprobs(), 1e-4);
    }
  }

  @ParameterizedTest
  @MethodSource("files")
  void endOfSequenceEndsAnAnswerAndBelongsToIt(String name) throws IOException {
    JsonNode golden = Fixtures.json(name);
    JsonNode variant = golden.path("eos_variant");
    int eos = variant.path("eos_token_id").asInt();
    List<Episode> episodes = generate(golden, Set.of(eos), SamplingParams.greedy(golden.path("max_new_tokens").asInt()));
    assertTokens(variant.path("outputs"), episodes);
    for (Episode episode : episodes) {
      int[] ids = episode.tokenIds();
      assertEquals(ids[ids.length - 1] == eos, episode.finished());
    }
    assertTrue(episodes.stream().anyMatch(Episode::finished), "no completion ended with " + eos);
  }

  @ParameterizedTest
  @MethodSource("files")
  void repetitionPenaltySeesPromptAndAnswer(String name) throws IOException {
    JsonNode golden = Fixtures.json(name);
    List<String> cases = new ArrayList<>();
    golden.fieldNames().forEachRemaining(key -> {
      if (key.startsWith(PENALTY)) {
        cases.add(key);
      }
    });
    assertTrue(!cases.isEmpty(), name + " has no " + PENALTY);
    for (String key : cases) {
      float penalty = Float.parseFloat(key.substring(PENALTY.length()));
      SamplingParams params = new SamplingParams(0, 0, 1, 0, penalty, golden.path("max_new_tokens").asInt());
      assertTokens(golden.path(key), generate(golden, Set.of(), params));
    }
  }

  private static List<Episode> generate(JsonNode golden, Set<Integer> eos, SamplingParams params) {
    List<RolloutRequest> requests = new ArrayList<>();
    int longest = 0;
    for (JsonNode prompt : golden.path("prompts")) {
      requests.add(new RolloutRequest(requests.size(), JSON.convertValue(prompt, int[].class), 1));
      longest = Math.max(longest, prompt.size() + params.maxNewTokens());
    }
    try (OpenModel open = OpenModel.fixture(golden.path("model").asText(), DType.F32, 2);
        Generator generator = new Generator(open.model(), Generator.Limits.of(3, longest), eos, Integer.MAX_VALUE, ids -> "")) {
      return generator.generate(requests, params, 1, 0, RolloutListener.NONE).episodes();
    }
  }

  private static void assertTokens(JsonNode expected, List<Episode> episodes) {
    assertEquals(expected.size(), episodes.size());
    for (int i = 0; i < episodes.size(); i++) {
      assertArrayEquals(JSON.convertValue(expected.get(i), int[].class), episodes.get(i).tokenIds(), "prompt " + i);
    }
  }
}
