package io.github.grpo4j.update;

import static io.github.grpo4j.testing.Accuracy.assertSameBits;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.TokenLoss;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.FinishReason;
import io.github.grpo4j.grpo.loss.Aggregation;
import io.github.grpo4j.grpo.loss.Clipping;
import io.github.grpo4j.grpo.loss.ImportanceLevel;
import io.github.grpo4j.grpo.loss.Kl;
import io.github.grpo4j.grpo.loss.Objective;
import io.github.grpo4j.model.CausalLm.Recompute;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelConfig.Family;
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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** One optimizer step on sampled episodes. */
class PolicyUpdateTest {
  private static final ModelConfig CONFIG = OpenModel.config(Family.QWEN2, 32, 2, 4, 2, 8, 48, 64, true);
  private static final double RATE = 1e-2;
  private static final float TEMPERATURE = 0.9f;
  private static final int MAX_NEW = TestBackends.sized(24, 5);
  private static final Objective PLAIN = Objective.of(new Clipping.Ppo(0.2, 0.28), Kl.NONE, new Aggregation.TokenMean());

  @ParameterizedTest
  @MethodSource("io.github.grpo4j.testing.TestBackends#storageTypes")
  void firstUpdateAfterARolloutIsExactlyOnPolicy(DType dtype) {
    try (Run run = new Run(dtype, PLAIN, 40)) {
      List<Episode> episodes = run.draw();
      double[] advantages = advantages(episodes.size());
      PolicyUpdate.Result first = run.update.step(episodes, advantages, null, RATE, true);
      assertEquals(0, first.mismatch().max(), "decoding and training agree to the bit");
      assertFalse(first.mismatch().isEmpty());
      assertEquals(0, first.metrics().toMap().get("clip_ratio/region_mean"));
      assertFalse(first.optimizer().skipped());
      assertTrue(first.optimizer().gradNorm() > 0);
      assertEquals(trained(episodes, advantages), first.trainedTokens());
      for (int i = 0; i < 5; i++) {
        run.update.step(episodes, advantages, null, RATE, false);
      }
      Map<String, Double> later = run.update.step(episodes, advantages, null, RATE, false).metrics().toMap();
      assertTrue(later.get("loss") < first.metrics().loss(), "the loss falls on the batch that is trained on");
      assertTrue(later.get("clip_ratio/region_mean") > 0, "ratios left the bounds");
    }
  }

  @Test
  void updateDoesNotDependOnMicroBatchesOrOrder() {
    Objective objective = Objective.of(new Clipping.Ppo(0.2, 0.2), new Kl(TokenLoss.Kl.K3, 0.1, false), new Aggregation.SequenceMean());
    for (ImportanceLevel level : ImportanceLevel.values()) {
      Objective levelled = new Objective(objective.clipping(), objective.kl(), objective.aggregation(), level, 0,
          Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY);
      double expectedNorm;
      double expectedLoss;
      try (Run run = new Run(DType.F32, levelled, 1000)) {
        PolicyUpdate.Result result = run.perturbedStep(new Random(0), false);
        expectedNorm = result.optimizer().gradNorm();
        expectedLoss = result.metrics().loss();
      }
      for (int budget : new int[] {1, 60, 150}) {
        try (Run run = new Run(DType.F32, levelled, budget)) {
          PolicyUpdate.Result result = run.perturbedStep(new Random(0), true);
          assertEquals(expectedNorm, result.optimizer().gradNorm(), 1e-6 * expectedNorm, level + " budget " + budget);
          assertEquals(expectedLoss, result.metrics().loss(), 1e-6 * Math.abs(expectedLoss), level + " budget " + budget);
        }
      }
    }
  }

  @Test
  void episodesWithoutAdvantageCountButAreNotComputed() {
    double norm;
    Map<String, Double> metrics;
    try (Run run = new Run(DType.F32, PLAIN, 100)) {
      List<Episode> episodes = run.draw();
      double[] advantages = advantages(episodes.size());
      PolicyUpdate.Result result = run.update.step(episodes, advantages, null, RATE, true);
      norm = result.optimizer().gradNorm();
      metrics = result.metrics().toMap();
      assertTrue(result.trainedTokens() < episodes.stream().mapToLong(Episode::totalTokens).sum());
      assertEquals(episodes.stream().mapToLong(e -> e.tokenIds().length).sum(), result.metrics().tokens());
    }
    // A vanishing KL makes every episode run through the model.
    Objective all = Objective.of(PLAIN.clipping(), new Kl(TokenLoss.Kl.K3, 1e-30, false), PLAIN.aggregation());
    try (Run run = new Run(DType.F32, all, 100)) {
      List<Episode> episodes = run.draw();
      PolicyUpdate.Result result = run.update.step(
          episodes, advantages(episodes.size()), episodes.stream().map(Episode::logprobs).toList(), RATE, true);
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
      List<Episode> episodes = run.draw();
      PolicyUpdate.Result result = run.update.step(episodes, new double[episodes.size()], null, RATE, true);
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
      List<Episode> episodes = run.draw();
      double[] advantages = advantages(episodes.size());
      advantages[1] = Double.NaN;
      PolicyUpdate.Result result = run.update.step(episodes, advantages, null, RATE, true);
      assertTrue(result.optimizer().skipped());
      assertEquals(0, run.optimizer.stepCount());
      assertSame(before, run.open.readWeights());
      advantages[1] = 1;
      assertFalse(run.update.step(episodes, advantages, null, RATE, true).optimizer().skipped());
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

    Run(DType dtype, Objective objective, int budget) {
      open = OpenModel.random(CONFIG, dtype, 2, 21);
      gradients = new Gradients(open.backend(), open.weights());
      pass = new GradientPass(open.model(), budget, 64, Recompute.NONE);
      optimizer = new AdamW(open.backend(), open.weights(), new AdamW.Settings(0.9, 0.99, 1e-8, 0, true, 1));
      update = new PolicyUpdate(pass, gradients, optimizer, objective, TEMPERATURE);
    }

    List<Episode> draw() {
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
      List<Episode> drawn = draw();
      double[] all = advantages(drawn.size());
      List<Integer> order = new ArrayList<>();
      List<Episode> episodes = new ArrayList<>();
      List<float[]> references = new ArrayList<>();
      for (Episode e : drawn) {
        float[] old = e.logprobs().clone();
        float[] reference = e.logprobs().clone();
        for (int t = 0; t < old.length; t++) {
          old[t] += (float) (0.3 * random.nextGaussian());
          reference[t] += (float) (0.3 * random.nextGaussian());
        }
        order.add(order.size());
        episodes.add(new Episode(e.problem(), e.answer(), e.promptIds(), e.tokenIds(), old, e.entropies(), FinishReason.EOS, ""));
        references.add(reference);
      }
      if (shuffle) {
        Collections.shuffle(order, new Random(4));
      }
      return update.step(order.stream().map(episodes::get).toList(), order.stream().mapToDouble(i -> all[i]).toArray(),
          order.stream().map(references::get).toList(), RATE, false);
    }

    @Override
    public void close() {
      optimizer.close();
      pass.close();
      gradients.close();
      open.close();
    }
  }
}
