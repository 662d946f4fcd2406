package io.github.grpo4j.rollout;

import static io.github.grpo4j.testing.Accuracy.assertSameBits;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.DType;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.model.CausalLm.Recompute;
import io.github.grpo4j.model.KvCache;
import io.github.grpo4j.model.LossHead.Scores;
import io.github.grpo4j.rollout.Generator.Limits;
import io.github.grpo4j.rollout.Generator.Rollout;
import io.github.grpo4j.testing.OpenModel;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.update.GradientPass;
import io.github.grpo4j.update.GradientPass.Sample;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A completion is the same to the bit however it was sampled: prompts around the edges of cache blocks, groups that share prompt
 * blocks, any number of rows together, caches so small that completions wait for each other, any number of threads. And the
 * training forward pass gives its tokens exactly the log-probs and entropies that were stored.
 */
@Tag("fixtures")
class DecodeParityTest {
  private static final int MAX_NEW = TestBackends.sized(40, 8);
  private static final int[] PROMPT_LENGTHS =
      TestBackends.sized(new int[] {1, 2, 31, 32, 33, 34, 63, 64, 65, 66, 97}, new int[] {1, 29, 33, 64});
  private static final int MAX_TOKENS = 97 + MAX_NEW;
  private static final SamplingParams PARAMS = SamplingParams.atTemperature(0.8f, MAX_NEW);
  private static final long SEED = 7;
  private static final int STEP = 3;

  static Stream<Arguments> models() {
    return OpenModel.fixtureNames().stream().flatMap(name -> TestBackends.storageTypes().stream().map(t -> Arguments.of(name, t)));
  }

  @ParameterizedTest
  @MethodSource("models")
  void trainingForwardGivesTheStoredScores(String name, DType dtype) {
    try (OpenModel open = OpenModel.fixture(name, dtype, 2);
        GradientPass pass = new GradientPass(open.model(), 300, MAX_TOKENS, Recompute.NONE)) {
      Set<Integer> eos = endOfSequence(open);
      List<Episode> episodes = sampleEpisodes(open, requests(open, 3), eos, Limits.of(64, MAX_TOKENS), PARAMS);
      assertTrue(episodes.stream().anyMatch(Episode::finished), "some completions end by themselves");
      assertTrue(episodes.stream().anyMatch(episode -> episode.tokenIds().length == MAX_NEW), "some reach the limit");
      assertScores(pass, episodes, PARAMS.logprobTemperature());

      SamplingParams filtered = new SamplingParams(1.3f, 20, 0.9f, 0.02f, 1.1f, MAX_NEW);
      assertScores(pass, sampleEpisodes(open, requests(open, 1), eos, Limits.of(5, MAX_TOKENS), filtered), 1.3f);
    }
  }

  private static void assertScores(GradientPass pass, List<Episode> episodes, float temperature) {
    List<Sample> samples = episodes.stream().map(episode -> new Sample(
        IntStream.concat(Arrays.stream(episode.promptIds()), Arrays.stream(episode.tokenIds())).toArray(),
        episode.promptIds().length)).toList();
    List<Scores> scores = pass.score(samples, temperature);
    for (int i = 0; i < episodes.size(); i++) {
      Episode episode = episodes.get(i);
      String what = "problem " + episode.problem() + " (" + episode.promptIds().length + " tokens) completion " + episode.completion();
      assertSameBits(what + " log-prob", episode.logprobs(), scores.get(i).logprob());
      assertSameBits(what + " entropy", episode.entropies(), scores.get(i).entropy());
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void answersDoNotDependOnTheBatch(String name, DType dtype) {
    List<Episode> expected;
    Set<Integer> eos;
    int oneSequence = KvCache.blocksFor(MAX_TOKENS) + 1;
    try (OpenModel open = OpenModel.fixture(name, dtype, 2)) {
      List<RolloutRequest> requests = requests(open, 3);
      eos = endOfSequence(open);
      expected = sampleEpisodes(open, requests, eos, Limits.of(64, MAX_TOKENS), PARAMS);
      for (Limits limits : List.of(
          Limits.of(1, MAX_TOKENS),
          Limits.of(3, MAX_TOKENS),
          new Limits(64, MAX_TOKENS, oneSequence, 1024),
          new Limits(7, MAX_TOKENS, 2 * oneSequence, 1),
          new Limits(64, 250, 100, 70))) {
        assertSame(limits.toString(), expected, sampleEpisodes(open, requests, eos, limits, PARAMS));
      }
      List<RolloutRequest> reversed = new ArrayList<>(requests);
      Collections.reverse(reversed);
      assertSame("reversed", expected, sampleEpisodes(open, reversed, eos, Limits.of(5, MAX_TOKENS), PARAMS));
      List<Episode> alone = new ArrayList<>();
      for (RolloutRequest request : requests) {
        alone.addAll(sampleEpisodes(open, List.of(request), eos, Limits.of(5, MAX_TOKENS), PARAMS));
      }
      assertSame("each alone", expected, alone);
      List<Episode> fewer = sampleEpisodes(open, requests.stream()
          .map(request -> new RolloutRequest(request.problem(), request.promptIds(), 1)).toList(), eos, Limits.of(4, MAX_TOKENS), PARAMS);
      assertSame("one completion each", expected.stream().filter(episode -> episode.completion() == 0).toList(), fewer);
    }
    try (OpenModel open = OpenModel.fixture(name, dtype, 1)) {
      assertSame("one thread", expected, sampleEpisodes(open, requests(open, 3), eos, Limits.of(16, MAX_TOKENS), PARAMS));
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void seedStepProblemAndAnswerEachChangeTheDraw(String name, DType dtype) {
    try (OpenModel open = OpenModel.fixture(name, dtype, 2); Generator generator = new Generator(
        open.model(), Limits.of(8, MAX_TOKENS), Set.of(), open.config().vocabSize(), Arrays::toString)) {
      int[] prompt = {1, 2, 3};
      List<RolloutRequest> requests = List.of(new RolloutRequest(10, prompt, 2), new RolloutRequest(11, prompt, 1));
      List<int[]> sampled = new ArrayList<>();
      generator.generate(requests, PARAMS, 1, 1, RolloutListener.NONE).episodes().forEach(e -> sampled.add(e.tokenIds()));
      sampled.add(generator.generate(requests, PARAMS, 2, 1, RolloutListener.NONE).episodes().get(0).tokenIds());
      sampled.add(generator.generate(requests, PARAMS, 1L << 32 | 1, 1, RolloutListener.NONE).episodes().get(0).tokenIds());
      sampled.add(generator.generate(requests, PARAMS, 1, 2, RolloutListener.NONE).episodes().get(0).tokenIds());
      assertEquals(sampled.size(), sampled.stream().map(Arrays::toString).collect(Collectors.toSet()).size(), "all differ");
      assertArrayEquals(sampled.get(0),
          generator.generate(requests, PARAMS, 1, 1, RolloutListener.NONE).episodes().get(0).tokenIds(), "sampled again");
    }
  }

  /** Groups of 1 to {@code completions} completions, one for each prompt length. */
  private static List<RolloutRequest> requests(OpenModel open, int completions) {
    Random random = new Random(5);
    List<RolloutRequest> requests = new ArrayList<>();
    for (int length : PROMPT_LENGTHS) {
      int[] prompt = random.ints(length, 0, open.config().vocabSize()).toArray();
      requests.add(new RolloutRequest(100 + requests.size(), prompt, 1 + requests.size() % completions));
    }
    return requests;
  }

  /**
   * Tokens that end a completion: so many of those that the model samples that two thirds of the completions end by themselves, at any place, and
   * the others reach the limit. Lengths differ then, and places in the batch become free at all times.
   */
  private static Set<Integer> endOfSequence(OpenModel open) {
    List<Set<Integer>> unended = sampleEpisodes(open, requests(open, 3), Set.of(), Limits.of(64, MAX_TOKENS), PARAMS).stream()
        .map(episode -> Arrays.stream(episode.tokenIds()).boxed().collect(Collectors.toSet())).collect(Collectors.toList());
    int reachTheLimit = unended.size() / 3;
    Set<Integer> eos = new TreeSet<>();
    for (int id = 0; id < open.config().vocabSize(); id++) {
      int candidate = id;
      long ended = unended.stream().filter(ids -> ids.contains(candidate)).count();
      if (ended > 0 && unended.size() - ended >= reachTheLimit) {
        eos.add(id);
        unended.removeIf(ids -> ids.contains(candidate));
      }
    }
    return eos;
  }

  private static List<Episode> sampleEpisodes(
      OpenModel open, List<RolloutRequest> requests, Set<Integer> eos, Limits limits, SamplingParams params) {
    try (Generator generator = new Generator(open.model(), limits, eos, open.config().vocabSize(), Arrays::toString)) {
      Rollout rollout = generator.generate(requests, params, SEED, STEP, RolloutListener.NONE);
      assertEquals(requests.stream().mapToInt(RolloutRequest::completions).sum(), rollout.episodes().size());
      assertFalse(rollout.stats().decodedRows() > rollout.stats().decodeSteps() * limits.maxRows());
      return rollout.episodes();
    }
  }

  private static void assertSame(String what, List<Episode> expected, List<Episode> actual) {
    assertEquals(expected.size(), actual.size(), what);
    for (Episode episode : expected) {
      Episode same = actual.stream().filter(e -> e.problem() == episode.problem() && e.completion() == episode.completion())
          .findFirst().orElseThrow();
      String which = what + ": problem " + episode.problem() + " completion " + episode.completion();
      assertArrayEquals(episode.tokenIds(), same.tokenIds(), which);
      assertArrayEquals(episode.promptIds(), same.promptIds(), which);
      assertSameBits(which, episode.logprobs(), same.logprobs());
      assertSameBits(which, episode.entropies(), same.entropies());
      assertEquals(episode.finishReason(), same.finishReason(), which);
      assertEquals(episode.text(), same.text(), which);
    }
  }
}
