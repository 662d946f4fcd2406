package io.github.grpo4j.update;

import static io.github.grpo4j.testing.Accuracy.assertRelative;
import static io.github.grpo4j.testing.Accuracy.assertSameBits;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.DType;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.FinishReason;
import io.github.grpo4j.grpo.loss.ImportanceLevel;
import io.github.grpo4j.grpo.loss.KlPenalty;
import io.github.grpo4j.grpo.loss.LossMetrics;
import io.github.grpo4j.grpo.loss.LossPipeline;
import io.github.grpo4j.grpo.loss.LossTerm;
import io.github.grpo4j.grpo.loss.Surrogate;
import io.github.grpo4j.grpo.loss.TokenTable;
import io.github.grpo4j.grpo.loss.aggregation.BucketMean;
import io.github.grpo4j.grpo.loss.aggregation.SequenceMean;
import io.github.grpo4j.grpo.loss.aggregation.TokenMean;
import io.github.grpo4j.grpo.loss.kl.ExactKl;
import io.github.grpo4j.grpo.loss.kl.K3;
import io.github.grpo4j.grpo.loss.surrogate.ClippedSurrogate;
import io.github.grpo4j.grpo.loss.surrogate.DynamicClip;
import io.github.grpo4j.grpo.loss.surrogate.PpoClip;
import io.github.grpo4j.grpo.loss.surrogate.Unclipped;
import io.github.grpo4j.grpo.loss.term.EntropyTerm;
import io.github.grpo4j.grpo.loss.term.KlTerm;
import io.github.grpo4j.grpo.loss.term.PolicyTerm;
import io.github.grpo4j.model.CausalLm.Recompute;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelConfig.Family;
import io.github.grpo4j.model.RandomWeights;
import io.github.grpo4j.optim.AdamW;
import io.github.grpo4j.rollout.Generator;
import io.github.grpo4j.rollout.Generator.Limits;
import io.github.grpo4j.rollout.RolloutListener;
import io.github.grpo4j.rollout.RolloutRequest;
import io.github.grpo4j.rollout.SamplingParams;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.OpenModel;
import io.github.grpo4j.testing.TestBackends;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** One optimizer step on sampled episodes. */
class PolicyUpdateTest {
  private static final ModelConfig CONFIG = OpenModel.config(Family.QWEN2, 32, 2, 4, 2, 8, 48, 64, true);
  private static final double RATE = 1e-2;
  private static final float TEMPERATURE = 0.9f;
  private static final int MAX_NEW = TestBackends.sized(24, 5);
  private static final LossPipeline PLAIN = new LossPipeline(List.of(new PolicyTerm(new PpoClip(0.2, 0.28))), new TokenMean());

  @ParameterizedTest
  @MethodSource("io.github.grpo4j.testing.TestBackends#storageTypes")
  void firstUpdateAfterARolloutIsExactlyOnPolicy(DType dtype) {
    try (Run run = new Run(dtype, PLAIN, 40)) {
      List<Episode> episodes = run.sampleEpisodes();
      double[] advantages = advantages(episodes.size());
      PolicyUpdate.Result first = run.update.step(Experience.of(episodes, advantages), RATE, true);
      assertEquals(0, first.mismatch().max(), "decoding and training agree to the bit");
      assertFalse(first.mismatch().isEmpty());
      assertEquals(0, first.metrics().toMap().get("clip_ratio/region_mean"));
      assertFalse(first.optimizer().skipped());
      assertTrue(first.optimizer().gradNorm() > 0);
      assertEquals(trained(episodes, advantages), first.trainedTokens());
      for (int i = 0; i < 5; i++) {
        run.update.step(Experience.of(episodes, advantages), RATE, false);
      }
      Map<String, Double> later = run.update.step(Experience.of(episodes, advantages), RATE, false).metrics().toMap();
      assertTrue(later.get("loss") < first.metrics().loss(), "the loss falls on the batch that is trained on");
      assertTrue(later.get("clip_ratio/region_mean") > 0, "ratios left the bounds");
    }
  }

  /** Losses that go through the fused kernel, chunk by chunk, sequence by sequence, and after a scoring pass. */
  static List<LossPipeline> losses() {
    K3 kl = new K3(0.1, true, KlPenalty.Where.LOSS);
    Surrogate sequence = new PpoClip(0.2, 0.2, 0, 0, ImportanceLevel.SEQUENCE);
    LossTerm plain = new PolicyTerm(new PpoClip());
    return List.of(
        new LossPipeline(List.of(plain, new KlTerm(kl, ImportanceLevel.TOKEN)), new SequenceMean()),
        new LossPipeline(List.of(new PolicyTerm(new DynamicClip()), new EntropyTerm(0.01)), new BucketMean()),
        new LossPipeline(
            List.of(new PolicyTerm(sequence), new KlTerm(kl, ImportanceLevel.SEQUENCE), new EntropyTerm(0.01)), new TokenMean()),
        new LossPipeline(List.of(plain, new KlTerm(new ExactKl(0.2), ImportanceLevel.TOKEN)), new TokenMean()),
        new LossPipeline(List.of(new PolicyTerm(sequence), new KlTerm(new ExactKl(0.2), ImportanceLevel.SEQUENCE)), new SequenceMean()),
        new LossPipeline(List.of(plain, new Squared(LossTerm.Scope.TOKEN)), new TokenMean()),
        new LossPipeline(List.of(plain, new Squared(LossTerm.Scope.SEQUENCE)), new BucketMean()),
        new LossPipeline(List.of(plain, new Squared(LossTerm.Scope.STEP)), new SequenceMean()));
  }

  /** A term of a user's own: half the square of each log-prob. */
  private record Squared(LossTerm.Scope scope) implements LossTerm {
    @Override
    public void add(TokenTable table, int from, int to, LossMetrics metrics) {
      for (int t = from; t < to; t++) {
        double logprob = table.newLogprob[t];
        table.tokenLoss[t] += logprob * logprob / 2;
        table.dLogprob[t] += (float) (table.weight[t] * logprob);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("losses")
  void updateDoesNotDependOnMicroBatchesOrOrder(LossPipeline loss) {
    double expectedNorm;
    double expectedLoss;
    try (Run run = new Run(DType.F32, loss, 1000)) {
      PolicyUpdate.Result result = run.perturbedStep(new Random(0), false);
      expectedNorm = result.optimizer().gradNorm();
      expectedLoss = result.metrics().loss();
      assertTrue(expectedNorm > 0);
    }
    for (int budget : new int[] {1, 60, 150}) {
      try (Run run = new Run(DType.F32, loss, budget)) {
        PolicyUpdate.Result result = run.perturbedStep(new Random(0), true);
        assertEquals(expectedNorm, result.optimizer().gradNorm(), 1e-6 * expectedNorm, "budget " + budget);
        assertEquals(expectedLoss, result.metrics().loss(), 1e-6 * Math.abs(expectedLoss), "budget " + budget);
      }
    }
  }

  /** What a small step changes of the loss is what the gradient says: the sum of gradient times change over all weights. */
  @ParameterizedTest
  @MethodSource("losses")
  void theLossFallsByWhatTheGradientPromises(LossPipeline loss) {
    try (Run run = new Run(DType.F32, loss, 60)) {
      Experience experience = run.perturbed(new Random(0), false);
      Map<String, NdArray> before = run.open.readWeights();
      double first = run.update.step(experience, 1e-5, false).metrics().loss();
      Map<String, NdArray> gradient = run.open.readByFileName(run.gradients::of);
      Map<String, NdArray> after = run.open.readWeights();
      double second = run.update.step(experience, 1e-5, false).metrics().loss();
      double promised = 0;
      for (String name : before.keySet()) {
        double[] g = gradient.get(name).values();
        for (int i = 0; i < g.length; i++) {
          promised += g[i] * (after.get(name).values()[i] - before.get(name).values()[i]);
        }
      }
      assertTrue(promised < 0);
      assertEquals(promised, second - first, 0.02 * -promised);
    }
  }

  /** The exact divergence of a model from itself is 0, and so is its gradient. */
  @Test
  void aReferenceThatIsThePolicyHasNoDivergence() {
    LossPipeline exact = new LossPipeline(List.of(new KlTerm(new ExactKl(0.5), ImportanceLevel.TOKEN)), new TokenMean());
    try (Run run = new Run(DType.F32, exact, 60, 21)) {
      List<Episode> episodes = run.sampleEpisodes();
      PolicyUpdate.Result result = run.update.step(Experience.of(episodes, advantages(episodes.size())), RATE, true);
      assertEquals(0, result.metrics().toMap().get("kl"));
      assertEquals(0, result.metrics().loss());
      assertTrue(result.optimizer().gradNorm() < 1e-7);
    }
  }

  /** A surrogate that the kernel does not know, though it says the same: the terms then carry the gradient. */
  @Test
  void theGeneralPathGivesTheGradientOfTheKernel() {
    List<LossTerm> others = List.of(new KlTerm(new K3(0.1, true, KlPenalty.Where.LOSS), ImportanceLevel.TOKEN), new EntropyTerm(0.02));
    for (ClippedSurrogate surrogate : List.of(new PpoClip(0.2, 0.28), new DynamicClip(), new Unclipped())) {
      Map<String, NdArray> kernel = gradient(new PolicyTerm(surrogate), others);
      Map<String, NdArray> terms = gradient(new PolicyTerm((ratio, advantage, old) -> surrogate.of(ratio, advantage, old)), others);
      kernel.forEach((name, array) -> assertRelative(surrogate + ": " + name, array.values(), terms.get(name).values(), 2e-6));
    }
  }

  private static Map<String, NdArray> gradient(LossTerm policy, List<LossTerm> others) {
    List<LossTerm> terms = new ArrayList<>(List.of(policy));
    terms.addAll(others);
    try (Run run = new Run(DType.F32, new LossPipeline(terms, new TokenMean()), 100)) {
      run.perturbedStep(new Random(0), false);
      return run.open.readByFileName(run.gradients::of);
    }
  }

  @Test
  void episodesWithoutAdvantageCountButAreNotComputed() {
    double norm;
    Map<String, Double> metrics;
    try (Run run = new Run(DType.F32, PLAIN, 100)) {
      List<Episode> episodes = run.sampleEpisodes();
      double[] advantages = advantages(episodes.size());
      PolicyUpdate.Result result = run.update.step(Experience.of(episodes, advantages), RATE, true);
      norm = result.optimizer().gradNorm();
      metrics = result.metrics().toMap();
      assertTrue(result.trainedTokens() < episodes.stream().mapToLong(Episode::totalTokens).sum());
    }
    // A vanishing KL makes every episode run through the model.
    LossTerm vanishing = new KlTerm(new K3(1e-30, false, KlPenalty.Where.LOSS), ImportanceLevel.TOKEN);
    LossPipeline all = new LossPipeline(List.of(PLAIN.terms().get(0), vanishing), PLAIN.aggregation());
    try (Run run = new Run(DType.F32, all, 100)) {
      List<Episode> episodes = run.sampleEpisodes();
      Experience experience = Experience.of(episodes, advantages(episodes.size()))
          .withReference(episodes.stream().map(Episode::logprobs).toList());
      PolicyUpdate.Result result = run.update.step(experience, RATE, true);
      assertEquals(episodes.stream().mapToLong(Episode::totalTokens).sum(), result.trainedTokens());
      assertEquals(norm, result.optimizer().gradNorm(), 1e-6 * norm);
      for (String key : List.of("loss", "entropy", "clip_ratio/region_mean")) {
        assertEquals(metrics.get(key), result.metrics().toMap().get(key), 1e-9, key);
      }
    }
  }

  @Test
  void nothingToLearnLeavesAGradientOfZero() {
    try (Run run = new Run(DType.F32, PLAIN, 100)) {
      Map<String, NdArray> before = run.open.readWeights();
      List<Episode> episodes = run.sampleEpisodes();
      PolicyUpdate.Result result = run.update.step(Experience.of(episodes, new double[episodes.size()]), RATE, true);
      assertEquals(0, result.optimizer().gradNorm());
      assertEquals(0, result.trainedTokens());
      assertTrue(result.mismatch().isEmpty());
      assertSame(before, run.open.readWeights());
    }
  }

  @Test
  void gradientThatIsNotFiniteChangesNothing() {
    try (Run run = new Run(DType.F32, PLAIN, 100)) {
      Map<String, NdArray> before = run.open.readWeights();
      List<Episode> episodes = run.sampleEpisodes();
      double[] advantages = advantages(episodes.size());
      advantages[1] = Double.NaN;
      PolicyUpdate.Result result = run.update.step(Experience.of(episodes, advantages), RATE, true);
      assertTrue(result.optimizer().skipped());
      assertEquals(0, run.optimizer.stepCount());
      assertSame(before, run.open.readWeights());
      advantages[1] = 1;
      assertFalse(run.update.step(Experience.of(episodes, advantages), RATE, true).optimizer().skipped());
    }
  }

  /** Not in the normalisers, the loss, the gradient nor the metrics: with or without it, every bit is the same. */
  @ParameterizedTest
  @MethodSource("losses")
  void aMaskedEpisodeChangesNothing(LossPipeline loss) {
    Map<String, NdArray> expected = null;
    Map<String, Double> metrics = null;
    for (boolean with : new boolean[] {false, true}) {
      try (Run run = new Run(DType.F32, loss, 60)) {
        List<Episode> episodes = run.sampleEpisodes();
        int[] kept = with ? IntStream.range(0, episodes.size()).toArray() : without(episodes.size(), 3, 5);
        List<Episode> given = Arrays.stream(kept).mapToObj(episodes::get).toList();
        boolean[] masked = new boolean[kept.length];
        if (with) {
          masked[3] = true;
          masked[5] = true;
        }
        double[] all = advantages(episodes.size());
        Experience experience = Experience.of(given, Arrays.stream(kept).mapToDouble(i -> all[i]).toArray())
            .withMasked(masked).withReference(given.stream().map(Episode::logprobs).toList());
        PolicyUpdate.Result result = run.update.step(experience, RATE, true);
        Map<String, NdArray> gradient = run.open.readByFileName(run.gradients::of);
        if (!with) {
          expected = gradient;
          metrics = result.metrics().toMap();
        } else {
          assertSame(expected, gradient);
          assertEquals(metrics, result.metrics().toMap());
        }
      }
    }
  }

  private static int[] without(int count, int... left) {
    return IntStream.range(0, count).filter(i -> Arrays.stream(left).noneMatch(l -> l == i)).toArray();
  }

  @Test
  void nothingButMaskedEpisodesLeavesTheStepOut() {
    try (Run run = new Run(DType.F32, PLAIN, 100)) {
      Map<String, NdArray> before = run.open.readWeights();
      List<Episode> episodes = run.sampleEpisodes();
      boolean[] masked = new boolean[episodes.size()];
      Arrays.fill(masked, true);
      PolicyUpdate.Result result = run.update.step(Experience.of(episodes, advantages(episodes.size())).withMasked(masked), RATE, true);
      assertTrue(result.optimizer().skipped());
      assertNull(result.metrics());
      assertEquals(0, run.optimizer.stepCount());
      assertSame(before, run.open.readWeights());
    }
  }

  /** A stored log-prob that is no number costs its token. */
  @Test
  void aBrokenTokenIsDropped() {
    try (Run run = new Run(DType.F32, PLAIN, 100)) {
      List<Episode> episodes = new ArrayList<>(run.sampleEpisodes());
      Episode e = episodes.get(0);
      float[] broken = e.logprobs().clone();
      broken[0] = Float.NaN;
      episodes.set(0, new Episode(e.problem(), e.completion(), e.promptIds(), e.tokenIds(), broken, e.entropies(), FinishReason.EOS, ""));
      PolicyUpdate.Result result = run.update.step(Experience.of(episodes, advantages(episodes.size())), RATE, false);
      assertFalse(result.optimizer().skipped());
      assertEquals(1.0, result.metrics().toMap().get("tokens_dropped"));
      assertTrue(Double.isFinite(result.metrics().loss()));
    }
  }

  /** Sampled at 0.9 and trained at 1: old log-probs are taken at 1, too, so that ratios begin at 1. */
  @Test
  void oldLogProbsOfAnotherTemperatureAreScoredAgain() {
    try (Run run = new Run(DType.F32, PLAIN, 100)) {
      PolicyUpdate one = new PolicyUpdate(run.pass, run.gradients, run.optimizer, PLAIN, 1, MAX_NEW);
      List<Episode> episodes = run.sampleEpisodes();
      Experience sampled = Experience.of(episodes, advantages(episodes.size()));
      Experience scored = sampled.withOld(one.score(episodes));
      double expected = 0;
      long tokens = 0;
      for (int i = 0; i < episodes.size(); i++) {
        expected -= sampled.advantages()[i] * episodes.get(i).tokenIds().length;
        tokens += episodes.get(i).tokenIds().length;
      }
      assertEquals(expected / tokens, one.step(scored, 0, false).metrics().loss(), 1e-6);
      assertTrue(Math.abs(expected / tokens - one.step(sampled, 0, false).metrics().loss()) > 1e-4, "ratios are not 1 without");
    }
  }

  @Test
  void mismatchKeepsWhatIsNoNumber() {
    MismatchMeter meter = new MismatchMeter();
    assertTrue(meter.isEmpty());
    meter.add(new float[] {-1, -2}, new float[] {-1, -2.5f});
    assertEquals(0.5, meter.max());
    assertEquals(0.25, meter.mean());
    meter.add(new float[] {Float.NaN, -1}, new float[] {-1, -1});
    assertTrue(Double.isNaN(meter.max()));
    assertTrue(Double.isNaN(meter.mean()));
  }

  private static void assertSame(Map<String, NdArray> expected, Map<String, NdArray> actual) {
    expected.forEach((name, array) -> assertSameBits(name, array.values(), actual.get(name).values()));
  }

  /** Some good, some bad, some 0. */
  private static double[] advantages(int count) {
    double[] advantages = new double[count];
    Arrays.setAll(advantages, i -> i % 3 - 1);
    return advantages;
  }

  private static long trained(List<Episode> episodes, double[] advantages) {
    long tokens = 0;
    for (int i = 0; i < advantages.length; i++) {
      tokens += advantages[i] == 0 ? 0 : episodes.get(i).totalTokens();
    }
    return tokens;
  }

  /** A random model with all that an update needs; the same for every run. */
  private static final class Run implements AutoCloseable {
    private final OpenModel open;
    private final Gradients gradients;
    private final GradientPass pass;
    private final AdamW optimizer;
    private final PolicyUpdate update;
    private final ReferencePolicy reference;

    Run(DType dtype, LossPipeline loss, int budget) {
      this(dtype, loss, budget, 22);
    }

    /** @param referenceSeed of the reference model's weights; the policy's is 21 */
    Run(DType dtype, LossPipeline loss, int budget, long referenceSeed) {
      open = OpenModel.random(CONFIG, dtype, 2, 21);
      gradients = new Gradients(open.backend(), open.weights());
      pass = new GradientPass(open.model(), budget, 64, Recompute.NONE, loss.needsExactKl());
      optimizer = new AdamW(open.backend(), open.weights(), new AdamW.Settings(0.9, 0.99, 1e-8, 0, true, 1));
      update = new PolicyUpdate(pass, gradients, optimizer, loss, TEMPERATURE, MAX_NEW);
      reference = loss.needsExactKl() ? new ReferencePolicy(
          ReferenceWeights.onDevice(RandomWeights.create(open.backend(), CONFIG, dtype, referenceSeed)), pass, 64, TEMPERATURE) : null;
      update.runBeside(reference);
    }

    List<Episode> sampleEpisodes() {
      List<RolloutRequest> requests = new ArrayList<>();
      for (int length : new int[] {4, 33, 1}) {
        int[] prompt = new int[length];
        Arrays.setAll(prompt, i -> (5 * i + length) % 64);
        requests.add(new RolloutRequest(requests.size(), prompt, 4));
      }
      try (Generator generator = new Generator(open.model(), Limits.of(5, 64), Set.of(3, 9, 27), 64, ids -> "")) {
        return generator.generate(requests, SamplingParams.atTemperature(TEMPERATURE, MAX_NEW), 2, 0, RolloutListener.NONE).episodes();
      }
    }

    /** A step off policy, optionally with the episodes in another order. */
    PolicyUpdate.Result perturbedStep(Random random, boolean shuffle) {
      return update.step(perturbed(random, shuffle), RATE, false);
    }

    Experience perturbed(Random random, boolean shuffle) {
      List<Episode> sampled = sampleEpisodes();
      double[] all = advantages(sampled.size());
      List<Integer> order = new ArrayList<>();
      List<Episode> episodes = new ArrayList<>();
      List<float[]> references = new ArrayList<>();
      for (Episode e : sampled) {
        float[] old = e.logprobs().clone();
        float[] reference = e.logprobs().clone();
        for (int t = 0; t < old.length; t++) {
          old[t] += (float) (0.3 * random.nextGaussian());
          reference[t] += (float) (0.3 * random.nextGaussian());
        }
        order.add(order.size());
        episodes.add(new Episode(e.problem(), e.completion(), e.promptIds(), e.tokenIds(), old, e.entropies(), FinishReason.EOS, ""));
        references.add(reference);
      }
      if (shuffle) {
        Collections.shuffle(order, new Random(4));
      }
      return Experience.of(order.stream().map(episodes::get).toList(), order.stream().mapToDouble(i -> all[i]).toArray())
          .withReference(order.stream().map(references::get).toList());
    }

    @Override
    public void close() {
      if (reference != null) {
        reference.close();
      }
      optimizer.close();
      pass.close();
      gradients.close();
      open.close();
    }
  }
}
