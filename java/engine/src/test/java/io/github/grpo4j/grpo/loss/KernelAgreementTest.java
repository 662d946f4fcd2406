package io.github.grpo4j.grpo.loss;

import static io.github.grpo4j.testing.Accuracy.assertMaxAbs;
import static io.github.grpo4j.testing.Accuracy.assertRelative;
import static io.github.grpo4j.testing.Accuracy.toDoubles;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.backend.TokenInputs;
import io.github.grpo4j.backend.TokenLoss;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.TestDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The fused kernel and {@link TokenObjective} are two writings of one formula. */
class KernelAgreementTest {
  private static final int ROWS = 40;
  private static final int VOCABULARY = 37;
  private static final int[] CU_SEQLENS = {0, 11, 12, 40};

  static List<Objective> objectives() {
    List<Objective> objectives = new ArrayList<>();
    for (TokenLoss.Kl estimator : TokenLoss.Kl.values()) {
      for (boolean timesRatio : new boolean[] {false, true}) {
        Kl kl = new Kl(estimator, 0.3, timesRatio);
        objectives.add(new Objective(new Clipping.Ppo(0.2, 0.28), kl, new Aggregation.TokenMean(), ImportanceLevel.TOKEN, 0.05, 1.5, 1.4));
        objectives.add(Objective.of(new Clipping.None(), kl, new Aggregation.SequenceMean()));
      }
    }
    return objectives;
  }

  @ParameterizedTest
  @MethodSource("objectives")
  void offPolicy(Objective objective) {
    compare(objective, false);
  }

  @ParameterizedTest
  @MethodSource("objectives")
  void onPolicy(Objective objective) {
    compare(objective, true);
  }

  private static void compare(Objective objective, boolean onPolicy) {
    Random random = new Random(3);
    NdArray logits = NdArray.random(random, 1.5, ROWS, VOCABULARY).rounded(DType.F32);
    int[] targets = random.ints(ROWS, 0, VOCABULARY).toArray();
    boolean[] mask = new boolean[ROWS];
    for (int t = 0; t < ROWS; t++) {
      mask[t] = t % 9 != 4;
    }
    float[] weight = objective.aggregation().weights(CU_SEQLENS, mask, StepTotals.of(CU_SEQLENS, mask));
    float[] advantage = TokenBatch.perToken(new double[] {1.2, -0.8, -1.1}, CU_SEQLENS);
    try (TestDevice device = TestDevice.cpu(2)) {
      Tensor ids = device.ints(targets);
      Tensor logprob = device.output(DType.F32, ROWS);
      Tensor entropy = device.output(DType.F32, ROWS);
      device.backend().logprob(logprob, entropy, null, device.tensor(DType.F32, logits), ids, 1);
      float[] newLogprob = floats(device.read(logprob));
      float[] oldLogprob = onPolicy ? null : near(newLogprob, random);
      float[] refLogprob = near(newLogprob, random);
      float[] low = new float[ROWS];
      float[] high = new float[ROWS];
      objective.clipping().bounds(oldLogprob, low, high);

      TokenObjective.Evaluation expected = new TokenObjective(objective).evaluate(new TokenBatch(CU_SEQLENS, newLogprob, oldLogprob,
          refLogprob, floats(device.read(entropy)), advantage, weight));

      Tensor dLogprob = device.output(DType.F32, ROWS);
      Tensor gradient = device.tensor(DType.F32, logits);
      device.backend().policyLoss(device.output(DType.F32, ROWS), device.output(DType.F32, ROWS), dLogprob, gradient, ids,
          new TokenInputs(tensor(device, weight), tensor(device, advantage), oldLogprob == null ? null : tensor(device, oldLogprob),
              objective.kl().isUsed() ? tensor(device, refLogprob) : null, tensor(device, low), tensor(device, high)), 1,
          objective.toTokenLoss());
      assertMaxAbs("d loss / d log-prob", toDoubles(expected.dLogprob()), device.read(dLogprob).values(), 1e-7);

      Tensor logitsAgain = device.tensor(DType.F32, logits);
      device.backend().logprobBackward(logitsAgain, tensor(device, expected.dLogprob()), tensor(device, expected.dEntropy()), ids, 1);
      assertRelative("d loss / d logits", device.read(logitsAgain).values(), device.read(gradient).values(), 1e-5);
    }
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
