package io.github.grpo4j.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.grpo4j.backend.cpu.CpuBackend;
import io.github.grpo4j.testing.Accuracy;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.testing.TestDevice;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every op on random inputs of awkward shapes: against its reference and finite differences, on every instruction set. */
class OpCaseTest {
  /** Every case in every storage type. */
  static Stream<Arguments> cases() {
    return allCases().stream().flatMap(c -> TestBackends.storageTypes().stream().map(dtype -> Arguments.of(c, dtype)));
  }

  private static List<OpCase> allCases() {
    Random random = new Random(42);
    List<OpCase> cases = new ArrayList<>();
    for (int[] s : new int[][] {{5, 64}, {3, 37}, {1, 200}}) {
      String name = s[0] + "x" + s[1];
      NdArray x = NdArray.random(random, 1, s[0], s[1]);
      cases.add(OpCases.rmsNorm(name, x, NdArray.random(random, 1, s[1]), NdArray.random(random, 1, s[0], s[1]), 1e-6f));
      cases.add(OpCases.addRmsNorm(name, x, NdArray.random(random, 1, s[0], s[1]), NdArray.random(random, 1, s[1]), 1e-5f));
      cases.add(OpCases.swiglu(name, x, NdArray.random(random, 1, s[0], s[1]), NdArray.random(random, 1, s[0], s[1])));
    }
    for (int[] s : new int[][] {{1, 33, 17}, {7, 40, 56}, {19, 70, 5}, {34, 8, 24}}) {
      cases.add(OpCases.linear("%dx%dx%d".formatted(s[0], s[1], s[2]), NdArray.random(random, 1, s[0], s[2]), NdArray.random(random, 1, s[1], s[2]),
          NdArray.random(random, 1, s[1]), NdArray.random(random, 1, s[0], s[1])));
    }
    cases.add(OpCases.embedding("9 of 45x19", NdArray.random(random, 1, 45, 19), new int[] {3, 44, 3, 0, 31, 32, 3, 44, 7}, NdArray.random(random, 1, 9, 19)));
    cases.add(OpCases.rope("heads of 16", NdArray.random(random, 1, 6, 48), NdArray.random(random, 1, 6, 48), References.cosSin(1e4, 200, 16),
        new int[] {0, 1, 5, 199, 17, 64}));
    cases.add(OpCases.rope("heads of 10", NdArray.random(random, 1, 3, 20), NdArray.random(random, 1, 3, 20), References.cosSin(1e6, 50, 10),
        new int[] {49, 2, 2}));
    cases.add(attention(random, new AttentionShape(4, 2, 16), 0, 7, 8, 27));
    cases.add(attention(random, new AttentionShape(3, 3, 8), 0, 1, 2, 40));
    cases.add(attention(random, new AttentionShape(6, 1, 32), 0, 11));
    for (double temperature : new double[] {1, 0.7}) {
      NdArray logits = NdArray.random(random, 3, 5, 67);
      int[] targets = {0, 66, 12, 33, 5};
      String name = "at temperature " + temperature;
      cases.add(OpCases.logprob(name, logits, targets, temperature, NdArray.random(random, 1, 5), null));
      cases.add(OpCases.logprob(name + " with entropy", logits, targets, temperature, NdArray.random(random, 1, 5), NdArray.random(random, 1, 5)));
      cases.add(OpCases.linearLogprob(name, NdArray.random(random, 1, 5, 24), NdArray.random(random, 0.3, 67, 24), targets, temperature,
          NdArray.random(random, 1, 5)));
    }
    cases.addAll(policyLosses(random));
    return cases;
  }

  private static OpCase attention(Random random, AttentionShape shape, int... cuSeqlens) {
    int tokens = cuSeqlens[cuSeqlens.length - 1];
    int kvColumns = shape.kvHeads() * shape.headDim();
    return OpCases.attention(shape + " " + Arrays.toString(cuSeqlens), NdArray.random(random, 1, tokens, shape.outColumns()),
        NdArray.random(random, 1, tokens, kvColumns), NdArray.random(random, 1, tokens, kvColumns), NdArray.random(random, 1, tokens, shape.outColumns()),
        shape, cuSeqlens);
  }

  /** Tokens on both sides of every bound: ratios from 0.5 to 6, advantages of both signs, a weight of 0. */
  private static List<OpCase> policyLosses(Random random) {
    double infinity = Double.POSITIVE_INFINITY;
    double temperature = 0.9;
    int rows = 12;
    NdArray logits = NdArray.random(random, 2, rows, 41);
    int[] targets = random.ints(rows, 0, 41).toArray();
    NdArray now = References.logprob(logits, targets, (float) (1 / temperature)).logprob();
    NdArray old = now.copy();
    NdArray ref = now.copy();
    NdArray advantage = NdArray.zeros(rows);
    double[] ratios = {0.5, 0.7, 0.95, 1, 1.1, 1.25, 1.5, 6, 0.6, 1.05, 2, 0.9};
    for (int i = 0; i < rows; i++) {
      old.values()[i] -= Math.log(ratios[i]);
      ref.values()[i] += 0.5 * random.nextGaussian();
      advantage.values()[i] = i % 2 == 0 ? 0.7 : -1.3;
    }
    NdArray weight = NdArray.random(random, 1, rows);
    weight.values()[4] = 0;
    NdArray low = NdArray.zeros(rows);
    NdArray high = NdArray.zeros(rows);
    Arrays.setAll(low.values(), i -> 0.8 - 0.01 * i);
    Arrays.setAll(high.values(), i -> 1.2 + 0.01 * i);
    OpCases.PolicyInputs all = new OpCases.PolicyInputs(weight, advantage, old, ref, low, high);
    OpCases.PolicyInputs onPolicy = new OpCases.PolicyInputs(weight, advantage, null, ref, null, null);
    List<OpCase> cases = new ArrayList<>();
    cases.add(policyLoss("linear", logits, targets, temperature, all, TokenLoss.LINEAR));
    cases.add(policyLoss("on policy", logits, targets, temperature, onPolicy, clipped(TokenLoss.Kl.NONE, false, 0, 0, infinity, infinity)));
    cases.add(policyLoss("clipped", logits, targets, temperature, all, clipped(TokenLoss.Kl.NONE, false, 0, 0, infinity, infinity)));
    cases.add(policyLoss("capped, dual clip", logits, targets, temperature, all, clipped(TokenLoss.Kl.NONE, false, 0, 0, 1.4, 3)));
    cases.add(policyLoss("entropy bonus", logits, targets, temperature, all, clipped(TokenLoss.Kl.NONE, false, 0, 0.1, infinity, infinity)));
    for (TokenLoss.Kl kl : new TokenLoss.Kl[] {TokenLoss.Kl.K1, TokenLoss.Kl.K2, TokenLoss.Kl.K3}) {
      cases.add(policyLoss(kl + "", logits, targets, temperature, all, clipped(kl, false, 0.2, 0, infinity, infinity)));
      cases.add(policyLoss(kl + " times ratio", logits, targets, temperature, all, clipped(kl, true, 0.2, 0.05, infinity, 4)));
    }
    cases.add(policyLoss("on policy, K3 times ratio", logits, targets, temperature, onPolicy, clipped(TokenLoss.Kl.K3, true, 0.2, 0, infinity, infinity)));
    return cases;
  }

  private static OpCase policyLoss(
      String name, NdArray logits, int[] targets, double temperature, OpCases.PolicyInputs tokens, TokenLoss loss) {
    return OpCases.policyLoss(name, logits, targets, temperature, tokens, loss);
  }

  private static TokenLoss clipped(TokenLoss.Kl kl, boolean timesRatio, double klCoef, double entropyCoef, double ratioCap, double dualClip) {
    return new TokenLoss(TokenLoss.Kind.CLIPPED, kl, timesRatio, (float) klCoef, (float) entropyCoef, (float) ratioCap, (float) dualClip);
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("cases")
  void equalsItsReferenceAndFiniteDifferencesOnEveryInstructionSet(OpCase c, DType dtype) {
    Map<String, NdArray> expected = c.expected(dtype);
    for (CpuBackend.Isa limit : TestBackends.instructionSets()) {
      try (TestDevice device = TestDevice.cpu(2, limit)) {
        c.check("with at most " + limit, dtype, expected, c.run(device, dtype));
      }
    }
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("cases")
  void givesTheSameBitsOnAnyNumberOfThreads(OpCase c, DType dtype) {
    Map<String, NdArray> one;
    try (TestDevice device = TestDevice.cpu(1)) {
      one = c.run(device, dtype);
    }
    for (int threads = 2; threads <= 3; threads++) {
      try (TestDevice device = TestDevice.cpu(threads)) {
        Map<String, NdArray> many = c.run(device, dtype);
        assertEquals(one.keySet(), many.keySet());
        one.forEach((result, values) -> Accuracy.assertSameBits(c + ": " + result, values.values(), many.get(result).values()));
      }
    }
  }
}
