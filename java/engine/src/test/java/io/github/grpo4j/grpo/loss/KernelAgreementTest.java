package io.github.grpo4j.grpo.loss;

import static io.github.grpo4j.testing.Accuracy.assertMaxAbs;
import static io.github.grpo4j.testing.Accuracy.assertRelative;
import static io.github.grpo4j.testing.Accuracy.assertSameBits;
import static io.github.grpo4j.testing.Accuracy.toDoubles;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.backend.TokenInputs;
import io.github.grpo4j.backend.TokenLoss;
import io.github.grpo4j.grpo.loss.aggregation.SequenceMean;
import io.github.grpo4j.grpo.loss.aggregation.TokenMean;
import io.github.grpo4j.grpo.loss.fused.FusedPolicyLoss;
import io.github.grpo4j.grpo.loss.kl.ExactKl;
import io.github.grpo4j.grpo.loss.kl.K2;
import io.github.grpo4j.grpo.loss.kl.K3;
import io.github.grpo4j.grpo.loss.surrogate.PpoClip;
import io.github.grpo4j.grpo.loss.surrogate.Unclipped;
import io.github.grpo4j.grpo.loss.term.PolicyTerm;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.TestDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The fused kernel gives what the terms define, wherever it is used in their place. */
class KernelAgreementTest {
  private static final int ROWS = 40;
  private static final int VOCABULARY = 37;
  private static final int[] STARTS = {0, 11, 12, 40};

  /** Every surrogate that the kernel knows, with every penalty that it knows and with none, without and with an entropy bonus. */
  static List<LossPipeline> fused() {
    List<LossPipeline> pipelines = new ArrayList<>();
    List<KlPenalty> penalties = new ArrayList<>(LossTables.PENALTIES);
    penalties.add(null);
    for (Surrogate surrogate : LossTables.SURROGATES) {
      for (KlPenalty penalty : penalties) {
        if (surrogate.level() == ImportanceLevel.TOKEN && !(penalty instanceof ExactKl)) {
          Aggregation aggregation = penalty == null ? new SequenceMean() : new TokenMean();
          pipelines.add(LossTables.pipeline(surrogate, penalty, penalty == null ? 0 : 0.05, aggregation));
        }
      }
    }
    return pipelines;
  }

  @ParameterizedTest
  @MethodSource("fused")
  void offPolicy(LossPipeline pipeline) {
    compare(pipeline, false);
  }

  @ParameterizedTest
  @MethodSource("fused")
  void onPolicy(LossPipeline pipeline) {
    compare(pipeline, true);
  }

  private static void compare(LossPipeline pipeline, boolean onPolicy) {
    Random random = new Random(3);
    NdArray logits = NdArray.random(random, 1.5, ROWS, VOCABULARY).rounded(DType.F32);
    int[] targets = random.ints(ROWS, 0, VOCABULARY).toArray();
    boolean[] mask = new boolean[ROWS];
    float[] advantage = new float[ROWS];
    for (int t = 0; t < ROWS; t++) {
      mask[t] = t % 9 != 4;
      advantage[t] = t < STARTS[1] ? 1.2f : t < STARTS[2] ? -0.8f : -1.1f;
    }
    float[] weight = StepTotals.of(STARTS, mask, null, 32).weights(pipeline.aggregation(), STARTS, mask, null);
    try (TestDevice device = TestDevice.cpu(2)) {
      Backend backend = device.backend();
      Tensor ids = device.ints(targets);
      Tensor logprob = device.output(DType.F32, ROWS);
      Tensor entropy = device.output(DType.F32, ROWS);
      backend.logprob(logprob, entropy, null, device.tensor(DType.F32, logits), ids, 1);
      float[] drawn = floats(device.read(logprob));
      float[] old = onPolicy ? drawn.clone() : near(drawn, random);
      TokenTable table = new TokenTable(STARTS, old, near(drawn, random), advantage, weight, false);
      System.arraycopy(drawn, 0, table.newLogprob, 0, ROWS);
      System.arraycopy(floats(device.read(entropy)), 0, table.entropy, 0, ROWS);
      pipeline.evaluate(table);

      FusedPolicyLoss fused = FusedPolicyLoss.of(pipeline).orElseThrow();
      float[] low = new float[ROWS];
      float[] high = new float[ROWS];
      fused.bounds(table.oldLogprob, low, high);
      Tensor dLogprob = device.output(DType.F32, ROWS);
      Tensor gradient = device.tensor(DType.F32, logits);
      Tensor scored = device.output(DType.F32, ROWS);
      backend.policyLoss(scored, device.output(DType.F32, ROWS), dLogprob, gradient, ids,
          new TokenInputs(tensor(device, weight), tensor(device, advantage), tensor(device, table.oldLogprob),
              pipeline.needsReference() ? tensor(device, table.refLogprob) : null, tensor(device, low), tensor(device, high)), 1,
          fused.settings());
      assertSameBits("log-probs", drawn, floats(device.read(scored)));
      assertMaxAbs("d loss / d log-prob", toDoubles(table.dLogprob), device.read(dLogprob).values(), 1e-7);

      Tensor general = device.tensor(DType.F32, logits);
      backend.logprobBackward(general, tensor(device, table.dLogprob), tensor(device, table.dEntropy), ids, 1);
      assertRelative("d loss / d logits", device.read(general).values(), device.read(gradient).values(), 1e-5);
    }
  }

  /** So losses that are carried token by token train to the same bits as supervised training's one pass. */
  @Test
  void aGivenDerivativeIsCarriedTheSameWayByBothOps() {
    Random random = new Random(4);
    NdArray logits = NdArray.random(random, 3, ROWS, VOCABULARY).rounded(DType.F32);
    int[] targets = random.ints(ROWS, 0, VOCABULARY).toArray();
    float[] derivative = new float[ROWS];
    for (int t = 0; t < ROWS; t++) {
      derivative[t] = t % 5 == 0 ? 0 : random.nextFloat() - 0.5f;
    }
    try (TestDevice device = TestDevice.cpu(2)) {
      Tensor ids = device.ints(targets);
      Tensor carried = device.tensor(DType.F32, logits);
      device.backend().logprobBackward(carried, tensor(device, derivative), null, ids, 1.25f);
      Tensor linear = device.tensor(DType.F32, logits);
      Tensor unread = device.output(DType.F32, ROWS);
      device.backend().policyLoss(device.output(DType.F32, ROWS), unread, device.output(DType.F32, ROWS), linear, ids,
          new TokenInputs(tensor(device, derivative), null, null, null, null, null), 1.25f, TokenLoss.LINEAR);
      double[] expected = device.read(linear).values();
      double[] actual = device.read(carried).values();
      for (int i = 0; i < expected.length; i++) {
        assertEquals(expected[i] + 0.0, actual[i] + 0.0, 0, "element " + i);
      }
    }
  }

  @Test
  void theKernelGetsTheSettingsOfTheTerms() {
    LossPipeline pipeline = LossTables.pipeline(new PpoClip(0.2, 0.28, 4, 3, ImportanceLevel.TOKEN),
        new K3(0.04, true, KlPenalty.Where.LOSS), 0.01, new TokenMean());
    assertEquals(new TokenLoss(TokenLoss.Kind.CLIPPED, TokenLoss.Kl.K3, true, 0.04f, 0.01f, 4, 3),
        FusedPolicyLoss.of(pipeline).orElseThrow().settings());
    LossPipeline plain = LossTables.pipeline(new Unclipped(), new K2(0.1, false, KlPenalty.Where.LOSS), 0, new TokenMean());
    assertEquals(new TokenLoss(TokenLoss.Kind.CLIPPED, TokenLoss.Kl.K2, false, 0.1f, 0, Float.POSITIVE_INFINITY, Float.POSITIVE_INFINITY),
        FusedPolicyLoss.of(plain).orElseThrow().settings());
  }

  @Test
  void whatTheKernelDoesNotKnowGoesTheGeneralWay() {
    Surrogate sequence = new Unclipped(ImportanceLevel.SEQUENCE);
    assertEquals(Optional.empty(), FusedPolicyLoss.of(LossTables.pipeline(sequence, null, 0, new TokenMean())));
    assertEquals(Optional.empty(), FusedPolicyLoss.of(LossTables.pipeline(new PpoClip(), new ExactKl(0.1), 0, new TokenMean())));
    Surrogate own = (ratio, advantage, oldLogprob) -> new Surrogate.Value(-ratio * advantage, -advantage, false, false);
    assertEquals(Optional.empty(), FusedPolicyLoss.of(LossTables.pipeline(own, null, 0, new TokenMean())));
    LossTerm term = new PolicyTerm(new PpoClip());
    assertEquals(Optional.empty(), FusedPolicyLoss.of(new LossPipeline(List.of(term, term), new TokenMean())), "two policy terms");
    assertTrue(FusedPolicyLoss.of(new LossPipeline(List.of(), new TokenMean())).isEmpty());
  }

  private static float[] near(float[] logprob, Random random) {
    float[] other = new float[logprob.length];
    for (int t = 0; t < other.length; t++) {
      other[t] = logprob[t] + 1.6f * (random.nextFloat() - 0.5f);
    }
    return other;
  }

  private static Tensor tensor(TestDevice device, float[] values) {
    return device.tensor(DType.F32, NdArray.vector(toDoubles(values)));
  }

  private static float[] floats(NdArray array) {
    float[] floats = new float[array.values().length];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) array.values()[i];
    }
    return floats;
  }
}
