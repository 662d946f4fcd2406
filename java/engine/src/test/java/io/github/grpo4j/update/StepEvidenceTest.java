package io.github.grpo4j.update;

import static io.github.grpo4j.testing.Accuracy.assertSameBits;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.data.Problem;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.episode.ScoredEpisode;
import io.github.grpo4j.grpo.credit.CreditPipeline;
import io.github.grpo4j.grpo.credit.Credits;
import io.github.grpo4j.grpo.credit.Evidence.Context;
import io.github.grpo4j.grpo.credit.Evidence.FeatureRequest;
import io.github.grpo4j.grpo.credit.Evidence.Pool;
import io.github.grpo4j.grpo.credit.Evidence.Source;
import io.github.grpo4j.grpo.credit.RewardTables;
import io.github.grpo4j.grpo.credit.advantage.NormalizedThenSummed;
import io.github.grpo4j.grpo.credit.grouping.ByLengthBucket;
import io.github.grpo4j.grpo.credit.shaping.KlInReward;
import io.github.grpo4j.grpo.credit.shaping.MaskTruncated;
import io.github.grpo4j.grpo.credit.shaping.Similarity;
import io.github.grpo4j.grpo.credit.weighting.Additive;
import io.github.grpo4j.model.CausalLm.Recompute;
import io.github.grpo4j.model.HiddenStates;
import io.github.grpo4j.model.HiddenStates.Span;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelConfig.Family;
import io.github.grpo4j.model.RandomWeights;
import io.github.grpo4j.rollout.Generator;
import io.github.grpo4j.rollout.Generator.Limits;
import io.github.grpo4j.rollout.RolloutListener;
import io.github.grpo4j.rollout.RolloutRequest;
import io.github.grpo4j.rollout.SamplingParams;
import io.github.grpo4j.testing.OpenModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What the credit pipeline learns from models about sampled episodes. */
class StepEvidenceTest {
  private static final ModelConfig CONFIG = OpenModel.config(Family.QWEN2, 32, 4, 4, 2, 8, 48, 64, true);
  private static final int LONGEST = 64;
  private static final int ANSWERS = 4;
  private static final int MAX_NEW = 12;

  @Test
  void featuresAreThoseOfTheModelTheContextAndThePoolThatWereAskedFor() {
    try (Run run = new Run()) {
      List<Span> alone = run.episodes.stream().map(episode -> new Span(episode.tokenIds(), 0)).toList();
      List<Span> inContext = run.episodes.stream()
          .map(episode -> new Span(StepTable.sampleOf(episode).ids(), episode.promptIds().length)).toList();
      try (Arena arena = new Arena(run.open.backend(), HiddenStates.bytes(CONFIG, DType.F32, LONGEST), "test", "-")) {
        HiddenStates states = new HiddenStates(run.open.model(), arena, LONGEST);
        assertFeatures(states.mean(alone, 3), run.features(3, Pool.MEAN, Context.RESPONSE, Source.POLICY));
        assertFeatures(states.last(alone, 3), run.features(3, Pool.LAST, Context.RESPONSE, Source.POLICY));
        assertFeatures(states.mean(inContext, 2), run.features(2, Pool.MEAN, Context.PROMPT_AND_RESPONSE, Source.POLICY));
        assertFeatures(states.mean(alone, 1), run.features(0, Pool.MEAN, Context.RESPONSE, Source.POLICY));
      }
      float[] policy = run.features(1, Pool.MEAN, Context.RESPONSE, Source.POLICY)[0];
      float[] reference = run.features(1, Pool.MEAN, Context.RESPONSE, Source.REFERENCE)[0];
      assertNotEquals(policy[0], reference[0], "the reference is another model");
    }
  }

  @Test
  void logprobsAreTheRolloutsAndTheReferencesOnce() {
    try (Run run = new Run()) {
      assertArrayEquals(run.episodes.get(3).logprobs(), run.evidence.logprobs(3), 0);
      List<float[]> expected = run.reference.logprobs(run.episodes);
      assertSameBits("reference", expected.get(3), run.evidence.referenceLogprobs(3));
      assertSame(run.evidence.referenceLogprobs(), run.evidence.referenceLogprobs(), "not computed again");
    }
  }

  @Test
  void whatIsNotThereIsNamed() {
    try (Run run = new Run()) {
      String deep = assertThrows(IllegalArgumentException.class, () -> run.features(5, Pool.MEAN, Context.RESPONSE, Source.POLICY)).getMessage();
      assertTrue(deep.startsWith("depth is 5, and the model has 4 layers"), deep);
      StepEvidence without = new StepEvidence(run.episodes, run.pass, null, 0);
      assertThrows(IllegalStateException.class, () -> without.referenceLogprobs(0));
      assertThrows(IllegalStateException.class, () -> without.features(new FeatureRequest(1, Pool.MEAN, Context.RESPONSE, Source.REFERENCE)));
    }
  }

  /** All stages at once on real episodes: the same numbers whatever the order of the episodes, and none that is not finite. */
  @Test
  void thePipelineAsAWholeDoesNotDependOnTheOrderOfEpisodes() {
    CreditPipeline pipeline = new CreditPipeline(
        new MaskTruncated(), List.of(new Similarity(), new KlInReward(0.05)), new ByLengthBucket(2, ByLengthBucket.Scope.STEP),
        new NormalizedThenSummed(), new Additive());
    try (Run run = new Run()) {
      Credits credits = run.assign(pipeline, run.episodes);
      assertTrue(Arrays.stream(credits.advantages()).allMatch(Double::isFinite));
      assertTrue(Arrays.stream(credits.advantages()).anyMatch(a -> Math.abs(a) > 0.1));
      assertTrue(credits.metrics().values().stream().allMatch(Double::isFinite), credits.metrics().toString());
      assertTrue(credits.metrics().get("similarity/reward_shift_mean") > 0);
      List<Episode> turned = new ArrayList<>(run.episodes);
      Collections.reverse(turned);
      double[] reversed = run.assign(pipeline, turned).advantages();
      int n = reversed.length;
      for (int i = 0; i < n; i++) {
        assertEquals(credits.advantages()[i], reversed[n - 1 - i], 1e-9, "episode " + i);
      }
    }
  }

  private static void assertFeatures(float[][] expected, float[][] actual) {
    assertEquals(expected.length, actual.length);
    for (int i = 0; i < expected.length; i++) {
      assertSameBits("episode " + i, expected[i], actual[i]);
    }
  }

  private static final class Run implements AutoCloseable {
    private final OpenModel open = OpenModel.random(CONFIG, DType.F32, 1, 21);
    private final GradientPass pass = new GradientPass(open.model(), 40, LONGEST, Recompute.LAYER);
    private final ReferencePolicy reference =
        new ReferencePolicy(ReferenceWeights.onDevice(RandomWeights.create(open.backend(), CONFIG, DType.F32, 22)), pass, LONGEST, 1);
    private final List<Episode> episodes = sampleEpisodes();
    private final StepEvidence evidence = new StepEvidence(episodes, pass, reference, 0);

    private List<Episode> sampleEpisodes() {
      List<RolloutRequest> requests = new ArrayList<>();
      for (int length : new int[] {4, 33, 1}) {
        int[] prompt = new int[length];
        Arrays.setAll(prompt, i -> (5 * i + length) % 64);
        requests.add(new RolloutRequest(requests.size(), prompt, ANSWERS));
      }
      try (Generator generator = new Generator(open.model(), Limits.of(5, LONGEST), Set.of(3, 9, 27), 64, ids -> "")) {
        return generator.generate(requests, SamplingParams.atTemperature(1, MAX_NEW), 2, 0, RolloutListener.NONE).episodes();
      }
    }

    float[][] features(int depth, Pool pool, Context context, Source source) {
      return evidence.features(new FeatureRequest(depth, pool, context, source));
    }

    /** With rewards that follow from the tokens: right is what begins with an even one, and short is well formed. */
    Credits assign(CreditPipeline pipeline, List<Episode> of) {
      List<ScoredEpisode> scored = of.stream().map(episode -> new ScoredEpisode(episode, new Problem(episode.problem(), "q", "a", null),
          episode.problem(), reward(episode))).toList();
      Map<String, Double> weights = new LinkedHashMap<>();
      weights.put(Reward.ANSWER, 1.0);
      weights.put(Reward.FORMAT, 0.2);
      return pipeline.assign(RewardTables.of(scored, scored.stream().map(ScoredEpisode::reward).toList(), weights, MAX_NEW),
          new StepEvidence(of, pass, reference, 0));
    }

    private static Reward reward(Episode episode) {
      boolean right = episode.tokenIds()[0] % 2 == 0;
      double format = 1.0 / episode.tokenIds().length;
      return Reward.of((right ? 1 : 0) + 0.2 * format, right, format, null);
    }

    @Override
    public void close() {
      reference.close();
      pass.close();
      open.close();
    }
  }
}
