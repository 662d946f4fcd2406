package io.github.grpo4j.update;

import static io.github.grpo4j.testing.Accuracy.assertRelative;
import static io.github.grpo4j.testing.Accuracy.assertSameBits;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.BackendException;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.grpo.loss.ImportanceLevel;
import io.github.grpo4j.grpo.loss.KlPenalty;
import io.github.grpo4j.grpo.loss.LossPipeline;
import io.github.grpo4j.grpo.loss.TokenTable;
import io.github.grpo4j.grpo.loss.aggregation.TokenMean;
import io.github.grpo4j.grpo.loss.fused.FusedPolicyLoss;
import io.github.grpo4j.grpo.loss.kl.K3;
import io.github.grpo4j.grpo.loss.surrogate.PpoClip;
import io.github.grpo4j.grpo.loss.term.EntropyTerm;
import io.github.grpo4j.grpo.loss.term.KlTerm;
import io.github.grpo4j.grpo.loss.term.PolicyTerm;
import io.github.grpo4j.model.CausalLm.Recompute;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.LossHead.Scores;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelConfig.Family;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.OpenModel;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.update.GradientPass.Sample;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Loss and gradient are those of the samples, however they are cut into micro-batches, ordered and computed. */
class GradientPassTest {
  private static final int LONGEST = 70;
  private static final float TEMPERATURE = 0.9f;
  private static final LossPipeline LOSS = new LossPipeline(
      List.of(new PolicyTerm(new PpoClip(0.2, 0.28, 0, 3, ImportanceLevel.TOKEN)),
          new KlTerm(new K3(0.05, true, KlPenalty.Where.LOSS), ImportanceLevel.TOKEN), new EntropyTerm(0.01)), new TokenMean());
  private static final ModelConfig QWEN = OpenModel.config(Family.QWEN2, 32, 2, 4, 2, 8, 48, 96, true);
  /** Heads together far wider than the MLP: the other extreme of what a pass needs memory for. */
  private static final ModelConfig WIDE_HEADS = OpenModel.config(Family.LLAMA, 16, 2, 6, 3, 32, 8, 64, false);

  @ParameterizedTest
  @MethodSource("io.github.grpo4j.testing.TestBackends#storageTypes")
  void scoresAreTheSameBitsInEveryPacking(DType dtype) {
    for (ModelConfig config : List.of(QWEN, WIDE_HEADS)) {
      try (OpenModel open = OpenModel.random(config, dtype, 2, 5)) {
        List<Scored> tokens = tokens(config);
        List<Sample> samples = samples(tokens);
        List<Scores> expected = new ArrayList<>();
        try (GradientPass alone = new GradientPass(open.model(), 1, LONGEST, Recompute.NONE)) {
          samples.forEach(sample -> expected.addAll(alone.score(List.of(sample), TEMPERATURE)));
        }
        for (int budget : TestBackends.sized(new int[] {1, 80, 200, 10_000}, new int[] {80, 10_000})) {
          try (GradientPass pass = new GradientPass(open.model(), budget, LONGEST, Recompute.NONE);
              Gradients gradients = new Gradients(open.backend(), open.weights())) {
            assertSame("budget " + budget, expected, pass.score(samples, TEMPERATURE));
            TokenTable table = table(tokens);
            pass.backward(samples, fused(open, table), gradients);
            assertSame("backward, budget " + budget, expected, scores(table));
          }
        }
      }
    }
  }

  @Test
  void gradientDoesNotDependOnMicroBatchesOrOrder() {
    for (ModelConfig config : List.of(QWEN, WIDE_HEADS)) {
      try (OpenModel open = OpenModel.random(config, DType.F32, 2, 5)) {
        List<Scored> samples = tokens(config);
        Map<String, NdArray> expected = gradient(open, samples, 10_000, Recompute.NONE);
        for (int budget : TestBackends.sized(new int[] {1, 80, 200}, new int[] {80})) {
          assertClose("budget " + budget, expected, gradient(open, samples, budget, Recompute.NONE));
        }
        List<Scored> shuffled = new ArrayList<>(samples);
        for (int seed = 0; seed < TestBackends.sized(3, 1); seed++) {
          Collections.shuffle(shuffled, new Random(seed));
          assertClose("order " + seed, expected, gradient(open, shuffled, 150, Recompute.NONE));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.github.grpo4j.testing.TestBackends#storageTypes")
  void recomputedActivationsGiveTheSameBits(DType dtype) {
    for (ModelConfig config : List.of(QWEN, WIDE_HEADS)) {
      try (OpenModel open = OpenModel.random(config, dtype, 2, 5)) {
        List<Scored> samples = tokens(config);
        Map<String, NdArray> kept = gradient(open, samples, 150, Recompute.NONE);
        Map<String, NdArray> recomputed = gradient(open, samples, 150, Recompute.LAYER);
        kept.forEach((name, array) -> assertSameBits(name, array.values(), recomputed.get(name).values()));
        assertTrue(kept.values().stream().allMatch(g -> Arrays.stream(g.values()).anyMatch(v -> v != 0)), "no gradient is all zero");
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.github.grpo4j.testing.TestBackends#storageTypes")
  void gradientIsTheSameBitsForEveryNumberOfThreads(DType dtype) {
    Map<String, NdArray> expected;
    try (OpenModel open = OpenModel.random(QWEN, dtype, 1, 5)) {
      expected = gradient(open, tokens(QWEN), 150, Recompute.NONE);
    }
    for (int threads = 2; threads <= 5; threads += 3) {
      try (OpenModel open = OpenModel.random(QWEN, dtype, threads, 5)) {
        Map<String, NdArray> actual = gradient(open, tokens(QWEN), 150, Recompute.NONE);
        expected.forEach((name, array) -> assertSameBits(name, array.values(), actual.get(name).values()));
      }
    }
  }

  /** Budgets around which groups are whole, in two parts, and all apart. */
  @Test
  void sharedPromptsGiveTheGradientOfSamplesAlone() {
    for (ModelConfig config : List.of(QWEN, WIDE_HEADS)) {
      try (OpenModel open = OpenModel.random(config, DType.F32, 2, 5);
          Gradients gradients = new Gradients(open.backend(), open.weights());
          GradientPass alone = new GradientPass(open.model(), 1, LONGEST, Recompute.NONE)) {
        List<Scored> samples = tokens(config);
        samples.forEach(sample -> backward(alone, open, List.of(sample), gradients));
        Map<String, NdArray> expected = open.readByFileName(gradients::of);
        for (int budget : new int[] {10_000, 130, 100, 75}) {
          assertClose("budget " + budget, expected, gradient(open, samples, budget, Recompute.NONE));
        }
      }
    }
  }

  @Test
  void gradientsAddUp() {
    try (OpenModel open = OpenModel.random(QWEN, DType.F32, 2, 5);
        Gradients gradients = new Gradients(open.backend(), open.weights());
        GradientPass pass = new GradientPass(open.model(), 150, LONGEST, Recompute.NONE)) {
      List<Scored> samples = tokens(QWEN);
      Map<String, NdArray> expected = gradient(open, samples, 150, Recompute.NONE);
      backward(pass, open, samples.subList(0, 4), gradients);
      backward(pass, open, samples.subList(4, samples.size()), gradients);
      assertClose("two halves", expected, open.readByFileName(gradients::of));
      gradients.zero();
      assertTrue(open.readByFileName(gradients::of).values().stream().allMatch(g -> Arrays.stream(g.values()).allMatch(v -> v == 0)));
    }
  }

  @Test
  void sampleWithoutScoredTokensAddsNothing() {
    try (OpenModel open = OpenModel.random(QWEN, DType.F32, 1, 5);
        Gradients gradients = new Gradients(open.backend(), open.weights());
        GradientPass pass = new GradientPass(open.model(), 20, 20, Recompute.NONE)) {
      Sample empty = new Sample(new int[] {1, 2, 3}, 3);
      assertEquals(0, pass.score(List.of(empty), 1).get(0).logprob().length);
      pass.backward(List.of(empty), new LinearLoss(open.backend(), new float[0], 1), gradients);
      assertTrue(open.readByFileName(gradients::of).values().stream().allMatch(g -> Arrays.stream(g.values()).allMatch(v -> v == 0)));
      assertEquals(List.of(), pass.score(List.of(), 1));
    }
  }

  @Test
  void passStaysUsableAfterAMistake() {
    try (OpenModel open = OpenModel.random(QWEN, DType.F32, 1, 5);
        Gradients gradients = new Gradients(open.backend(), open.weights());
        GradientPass pass = new GradientPass(open.model(), 20, 20, Recompute.NONE)) {
      Sample good = new Sample(new int[] {1, 2, 3}, 1);
      List<Scores> expected = pass.score(List.of(good), 1);
      for (int i = 0; i < 50; i++) {
        assertThrows(IllegalArgumentException.class, () -> pass.score(List.of(new Sample(new int[] {1, 96, 3}, 1)), 1));
        assertThrows(IllegalArgumentException.class,
            () -> pass.backward(List.of(new Sample(new int[] {1, 97}, 1)), new LinearLoss(open.backend(), new float[1], 1), gradients));
        assertThrows(IllegalArgumentException.class, () -> pass.score(List.of(new Sample(new int[0], 0)), 1));
        assertThrows(BackendException.class, () -> pass.score(List.of(new Sample(new int[200], 1)), 1));
      }
      assertSame("after mistakes", expected, pass.score(List.of(good), 1));
    }
  }

  /**
   * Ragged, some all prompt but one token, some without a prompt, some tokens with weight 0; then groups, whose prompts end
   * around the edges of a block of keys and whose completions differ in length, one of them empty.
   */
  private static List<Scored> tokens(ModelConfig config) {
    Random random = new Random(9);
    List<Scored> samples = new ArrayList<>();
    int[] lengths = TestBackends.sized(new int[] {2, 70, 33, 5, 64, 31, 18, 2, 47}, new int[] {2, 70, 5, 2, 19});
    for (int i = 0; i < lengths.length; i++) {
      int[] ids = random.ints(lengths[i], 0, config.vocabSize()).toArray();
      samples.add(sample(config, random, ids, i % 3 == 0 ? 1 : i % 3 == 1 ? ids.length - 1 : ids.length / 2, i % 2 == 0));
    }
    int[] completions = {3, 1, TestBackends.sized(37, 4), 0, 12, 5};
    for (int promptLength : TestBackends.sized(new int[] {1, 2, 32, 33}, new int[] {2, 33})) {
      int[] prompt = random.ints(promptLength, 0, config.vocabSize()).toArray();
      for (int i = 0; i < 2 + promptLength % 5; i++) {
        int[] ids = Arrays.copyOf(prompt, promptLength + completions[i]);
        Arrays.setAll(ids, t -> t < promptLength ? prompt[t] : random.nextInt(config.vocabSize()));
        samples.add(sample(config, random, ids, promptLength, i % 2 == 0));
      }
    }
    return samples;
  }

  private static Scored sample(ModelConfig config, Random random, int[] ids, int first, boolean good) {
    int targets = ids.length - first;
    float[] weight = new float[targets];
    float[] advantage = new float[targets];
    float[] old = new float[targets];
    float[] reference = new float[targets];
    for (int t = 0; t < targets; t++) {
      weight[t] = t % 7 == 3 ? 0 : 1f / 128;
      advantage[t] = good ? 0.7f : -1.2f;
      old[t] = (float) (-Math.log(config.vocabSize()) + 0.3 * random.nextGaussian());
      reference[t] = (float) (-Math.log(config.vocabSize()) + 0.3 * random.nextGaussian());
    }
    return new Scored(new Sample(ids, first), weight, advantage, old, reference);
  }

  /** A sample with the columns of its scored tokens. */
  private record Scored(Sample sample, float[] weight, float[] advantage, float[] old, float[] reference) {}

  private static List<Sample> samples(List<Scored> scored) {
    return scored.stream().map(Scored::sample).toList();
  }

  private static TokenTable table(List<Scored> scored) {
    int[] starts = new int[scored.size() + 1];
    for (int b = 0; b < scored.size(); b++) {
      starts[b + 1] = starts[b] + scored.get(b).sample().targets();
    }
    return new TokenTable(starts, column(scored, Scored::old), column(scored, Scored::reference), column(scored, Scored::advantage),
        column(scored, Scored::weight), false);
  }

  private static float[] column(List<Scored> scored, Function<Scored, float[]> of) {
    float[] column = new float[scored.stream().mapToInt(s -> s.sample().targets()).sum()];
    int next = 0;
    for (Scored sample : scored) {
      System.arraycopy(of.apply(sample), 0, column, next, sample.sample().targets());
      next += sample.sample().targets();
    }
    return column;
  }

  private static FusedLoss fused(OpenModel open, TokenTable table) {
    return new FusedLoss(open.backend(), FusedPolicyLoss.of(LOSS).orElseThrow(), table, TEMPERATURE, 1);
  }

  private static void backward(GradientPass pass, OpenModel open, List<Scored> samples, Gradients gradients) {
    pass.backward(samples(samples), fused(open, table(samples)), gradients);
  }

  private static List<Scores> scores(TokenTable table) {
    List<Scores> scores = new ArrayList<>();
    for (int b = 0; b < table.sequences(); b++) {
      scores.add(new Scores(Arrays.copyOfRange(table.newLogprob, table.starts[b], table.starts[b + 1]),
          Arrays.copyOfRange(table.entropy, table.starts[b], table.starts[b + 1])));
    }
    return scores;
  }

  private static Map<String, NdArray> gradient(OpenModel open, List<Scored> samples, int budget, Recompute recompute) {
    try (GradientPass pass = new GradientPass(open.model(), budget, LONGEST, recompute);
        Gradients gradients = new Gradients(open.backend(), open.weights())) {
      backward(pass, open, samples, gradients);
      return open.readByFileName(gradients::of);
    }
  }

  /** A loss scale multiplies the gradient and nothing else. */
  @Test
  void aScaleMultipliesTheGradientAlone() {
    try (OpenModel open = OpenModel.random(QWEN, DType.F32, 2, 5);
        GradientPass pass = new GradientPass(open.model(), 150, LONGEST, Recompute.NONE);
        Gradients gradients = new Gradients(open.backend(), open.weights())) {
      List<Scored> tokens = tokens(QWEN);
      Map<String, NdArray> expected = gradient(open, tokens, 150, Recompute.NONE);
      TokenTable plain = table(tokens);
      pass.backward(samples(tokens), fused(open, plain), gradients);
      for (boolean kernel : new boolean[] {true, false}) {
        TokenTable table = table(tokens);
        gradients.zero();
        pass.backward(samples(tokens), kernel
            ? new FusedLoss(open.backend(), FusedPolicyLoss.of(LOSS).orElseThrow(), table, TEMPERATURE, 1024)
            : new TermsLoss(open.backend(), LOSS, table, TEMPERATURE, 1024), gradients);
        Map<String, NdArray> scaled = open.readByFileName(gradients::of);
        expected.forEach((name, array) -> assertRelative(
            name, Arrays.stream(array.values()).map(v -> 1024 * v).toArray(), scaled.get(name).values(), kernel ? 1e-7 : 1e-6));
        assertEquals(LOSS.evaluate(plain).toMap(), LOSS.evaluate(table).toMap());
      }
    }
  }

  private static void assertClose(String what, Map<String, NdArray> expected, Map<String, NdArray> actual) {
    expected.forEach((name, array) -> assertRelative(what + ": " + name, array.values(), actual.get(name).values(), 1e-6));
  }

  private static void assertSame(String what, List<Scores> expected, List<Scores> actual) {
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < expected.size(); i++) {
      assertSameBits(what + ": log-probs of sample " + i, expected.get(i).logprob(), actual.get(i).logprob());
      assertSameBits(what + ": entropies of sample " + i, expected.get(i).entropy(), actual.get(i).entropy());
    }
  }
}
