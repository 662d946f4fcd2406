package io.github.grpo4j.update;

import static io.github.grpo4j.testing.Accuracy.assertSameBits;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.DType;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.FinishReason;
import io.github.grpo4j.grpo.loss.ImportanceLevel;
import io.github.grpo4j.grpo.loss.KlPenalty;
import io.github.grpo4j.grpo.loss.LossPipeline;
import io.github.grpo4j.grpo.loss.aggregation.TokenMean;
import io.github.grpo4j.grpo.loss.kl.K3;
import io.github.grpo4j.grpo.loss.surrogate.PpoClip;
import io.github.grpo4j.grpo.loss.term.KlTerm;
import io.github.grpo4j.grpo.loss.term.PolicyTerm;
import io.github.grpo4j.model.CausalLm.Recompute;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelConfig.Family;
import io.github.grpo4j.optim.AdamW;
import io.github.grpo4j.optim.LossScaler;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.OpenModel;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.update.GradientPass.Sample;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The factor on the loss: nothing is seen of it where it is divided out, but that fp16 keeps what it would lose. */
class LossScalingTest {
  private static final ModelConfig CONFIG = OpenModel.config(Family.QWEN2, 32, 2, 4, 2, 8, 48, 64, true);
  private static final double RATE = 1e-2;
  private static final int PROMPT = 3;
  private static final int ANSWER = 6;

  private static LossPipeline loss(ImportanceLevel level) {
    return new LossPipeline(List.of(new PolicyTerm(new PpoClip(0.2, 0.28, 0, 0, level)),
        new KlTerm(new K3(0.05, false, KlPenalty.Where.LOSS), level)), new TokenMean());
  }

  private static final class Run implements AutoCloseable {
    final OpenModel open;
    final Gradients gradients;
    final GradientPass pass;
    final AdamW optimizer;
    final PolicyUpdate update;
    final List<Episode> episodes = new ArrayList<>();
    final List<float[]> references = new ArrayList<>();

    /** @param maxGradNorm so small that it clips, in some of the tests */
    Run(DType dtype, LossScaler scaler, LossPipeline loss, double maxGradNorm) {
      open = OpenModel.random(CONFIG, dtype, 1, 3);
      gradients = new Gradients(open.backend(), open.weights());
      pass = new GradientPass(open.model(), 40, PROMPT + ANSWER, Recompute.NONE);
      optimizer = new AdamW(open.backend(), open.weights(), new AdamW.Settings(0.9, 0.95, 1e-8, 0.1, false, maxGradNorm),
          AdamW.Placement.DEVICE);
      update = new PolicyUpdate(pass, gradients, optimizer, scaler, loss, 1, ANSWER);
      Random random = new Random(8);
      for (int i = 0; i < 4; i++) {
        float[] logprobs = new float[ANSWER];
        float[] reference = new float[ANSWER];
        for (int t = 0; t < ANSWER; t++) {
          logprobs[t] = (float) (-Math.log(CONFIG.vocabSize()) + 0.1 * random.nextGaussian());
          reference[t] = logprobs[t] - 0.2f;
        }
        int[] prompt = random.ints(PROMPT, 0, CONFIG.vocabSize()).toArray();
        int[] completion = random.ints(ANSWER, 0, CONFIG.vocabSize()).toArray();
        episodes.add(new Episode(i, 0, prompt, completion, logprobs, new float[ANSWER], FinishReason.EOS, ""));
        references.add(reference);
      }
    }

    PolicyUpdate.Result step() {
      return update.step(Experience.of(episodes, new double[] {1, -1, 0.5, -0.5}).withReference(references), RATE, false);
    }

    @Override
    public void close() {
      optimizer.close();
      pass.close();
      gradients.close();
      open.close();
    }
  }

  private static void assertSame(Map<String, NdArray> expected, Map<String, NdArray> actual) {
    expected.forEach((name, array) -> assertSameBits(name, array.values(), actual.get(name).values()));
  }

  /** Powers of two round nothing in fp32: neither the norm nor the clip nor the weights may differ. */
  @ParameterizedTest
  @EnumSource(ImportanceLevel.class)
  void aFactorIsDividedOutAgain(ImportanceLevel level) {
    for (double maxGradNorm : new double[] {0, 0.01}) {
      try (Run plain = new Run(DType.F32, LossScaler.off(), loss(level), maxGradNorm);
          Run scaled = new Run(DType.F32, LossScaler.fixed(1024), loss(level), maxGradNorm)) {
        for (int step = 0; step < 3; step++) {
          PolicyUpdate.Result expected = plain.step();
          PolicyUpdate.Result actual = scaled.step();
          assertTrue(expected.optimizer().gradNorm() > 0.01, "the clip is at work");
          assertEquals(expected.optimizer(), actual.optimizer());
          assertEquals(expected.metrics().toMap(), actual.metrics().toMap());
          assertSame(plain.open.readWeights(), scaled.open.readWeights());
        }
      }
    }
  }

  /** Of 24 tokens each has a share of 1/24 in the loss: times 2^24 that is beyond 65,504, the largest number of fp16. */
  @Test
  void anOverflowIsSkippedAndTheRunGoesOnWithASmallerFactor() {
    TestBackends.assumeCuda("the CPU does not compute in fp16");
    LossScaler scaler = LossScaler.dynamic(1 << 24);
    try (Run run = new Run(DType.F16, scaler, loss(ImportanceLevel.TOKEN), 1)) {
      Map<String, NdArray> before = run.open.readWeights();
      int skipped = 0;
      PolicyUpdate.Result result = run.step();
      while (result.optimizer().skipped()) {
        skipped++;
        assertEquals((1 << 24) / Math.pow(2, skipped), scaler.scale());
        assertEquals(0, run.optimizer.stepCount());
        assertSame(before, run.open.readWeights());
        result = run.step();
      }
      assertTrue(skipped > 0 && scaler.scale() >= 1024, skipped + " steps were skipped, down to " + scaler.scale());
      assertEquals(1, run.optimizer.stepCount());
      assertTrue(Double.isFinite(result.optimizer().gradNorm()) && result.optimizer().gradNorm() > 0);
      assertNotEquals(before.get("model.norm.weight").values()[0], run.open.readWeights().get("model.norm.weight").values()[0]);
      assertFalse(run.step().optimizer().skipped());

      // As if it had had that factor from the start.
      try (Run same = new Run(DType.F16, LossScaler.fixed(scaler.scale()), loss(ImportanceLevel.TOKEN), 1)) {
        same.step();
        same.step();
        assertSame(same.open.readWeights(), run.open.readWeights());
      }
    }
  }

  /** A token among a hundred thousand: its gradients of activations are some 1e-8, which fp16 has not. */
  @Test
  void aFactorKeepsWhatFp16WouldLose() {
    TestBackends.assumeCuda("the CPU does not compute in fp16");
    Map<String, NdArray> exact = gradient(DType.F32, 1);
    double lost = error(exact, gradient(DType.F16, 1));
    double kept = error(exact, gradient(DType.F16, 65536));
    assertTrue(kept < 0.01, "with the factor the gradient is off by " + kept);
    assertTrue(lost > 0.2, "without it, by " + lost);
  }

  private static Map<String, NdArray> gradient(DType dtype, float factor) {
    try (Run run = new Run(dtype, LossScaler.off(), loss(ImportanceLevel.TOKEN), 1)) {
      List<Sample> samples = run.episodes.stream().map(StepTable::sampleOf).toList();
      float[] dLogprob = new float[samples.size() * ANSWER];
      Arrays.fill(dLogprob, 1e-5f * factor);
      run.pass.backward(samples, new LinearLoss(run.open.backend(), dLogprob, 1), run.gradients);
      Map<String, NdArray> gradients = run.open.readByFileName(run.gradients::of);
      gradients.values().forEach(array -> Arrays.setAll(array.values(), i -> array.values()[i] / factor));
      return gradients;
    }
  }

  /** Of the whole gradient, relative. */
  private static double error(Map<String, NdArray> exact, Map<String, NdArray> actual) {
    double[] sums = new double[2];
    exact.forEach((name, array) -> {
      for (int i = 0; i < array.values().length; i++) {
        double difference = actual.get(name).values()[i] - array.values()[i];
        sums[0] += difference * difference;
        sums[1] += array.values()[i] * array.values()[i];
      }
    });
    return Math.sqrt(sums[0] / sums[1]);
  }
}
