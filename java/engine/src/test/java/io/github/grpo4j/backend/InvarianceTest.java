package io.github.grpo4j.backend;

import io.github.grpo4j.backend.cpu.CpuBackend;
import io.github.grpo4j.testing.Accuracy;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.OnEveryInstructionSet;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.testing.TestDevice;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The bits of a row do not depend on the rows beside it, nor on the road by which it is computed: what makes decoding and
 * training agree exactly.
 */
class InvarianceTest {
  static Stream<Arguments> variants() {
    return TestBackends.instructionSets().stream()
        .flatMap(isa -> TestBackends.storageTypes().stream().map(dtype -> Arguments.of(isa, dtype)));
  }

  @ParameterizedTest
  @MethodSource("variants")
  void aRowOfLinearIsTheSameInAnyBatch(CpuBackend.Isa isa, DType dtype) {
    Random random = new Random(1);
    int rows = 257;
    for (int[] size : new int[][] {{70, 131}, {33, 896}}) {
      int n = size[0];
      int k = size[1];
      try (TestDevice device = TestDevice.cpu(2, isa)) {
        NdArray x = NdArray.random(random, 1, rows, k);
        NdArray dy = NdArray.random(random, 1, rows, n);
        Tensor w = device.packed(dtype, NdArray.random(random, 1, n, k));
        Tensor bias = device.tensor(dtype, NdArray.random(random, 1, n));
        NdArray all = linear(device, dtype, x, w, bias);
        NdArray allBack = linearBackwardInput(device, dtype, dy, w);
        for (int[] part : new int[][] {{0, 1}, {100, 101}, {256, 257}, {3, 5}, {40, 47}, {8, 24}, {10, 75}}) {
          String what = dtype + " rows " + Arrays.toString(part) + " of [" + rows + ", " + k + "] x [" + n + ", " + k + "]";
          Accuracy.assertSameBits(what, all.rows(part[0], part[1]).values(),
              linear(device, dtype, x.rows(part[0], part[1]), w, bias).values());
          Accuracy.assertSameBits(what + " backward", allBack.rows(part[0], part[1]).values(),
              linearBackwardInput(device, dtype, dy.rows(part[0], part[1]), w).values());
        }
      }
    }
  }

  private static NdArray linear(TestDevice device, DType dtype, NdArray x, Tensor w, Tensor bias) {
    Tensor y = device.output(dtype, x.rows(), w.rows());
    device.backend().linear(y, device.tensor(dtype, x), w, bias, false);
    return device.read(y);
  }

  private static NdArray linearBackwardInput(TestDevice device, DType dtype, NdArray dy, Tensor w) {
    Tensor dx = device.output(dtype, dy.rows(), w.columns());
    device.backend().linearBackwardInput(dx, device.tensor(dtype, dy), w, false);
    return device.read(dx);
  }

  /** A whole sequence, the same in a batch, its last rows over a paged cache, and one row at a time. */
  @ParameterizedTest
  @MethodSource("variants")
  void pagedAttentionHasTheBitsOfTrainingAttention(CpuBackend.Isa isa, DType dtype) {
    Random random = new Random(2);
    for (AttentionShape shape : new AttentionShape[] {new AttentionShape(4, 2, 16), new AttentionShape(14, 2, 64), new AttentionShape(3, 3, 8)}) {
      try (TestDevice device = TestDevice.cpu(2, isa)) {
        int[] cuSeqlens = {0, 5, 75, 76, 108};
        int tokens = cuSeqlens[4];
        NdArray q = NdArray.random(random, 1, tokens, shape.outColumns());
        NdArray k = NdArray.random(random, 1, tokens, shape.kvHeads() * shape.headDim());
        NdArray v = NdArray.random(random, 1, tokens, shape.kvHeads() * shape.headDim());
        NdArray all = attention(device, dtype, shape, q, k, v, cuSeqlens);
        for (int b = 0; b < 4; b++) {
          int from = cuSeqlens[b];
          int to = cuSeqlens[b + 1];
          NdArray alone = attention(device, dtype, shape, q.rows(from, to), k.rows(from, to), v.rows(from, to), new int[] {0, to - from});
          Accuracy.assertSameBits(shape + " sequence " + b + " alone", all.rows(from, to).values(), alone.values());
        }
        PagedCache cache = new PagedCache(device, dtype, shape, cuSeqlens);
        cache.append(k, v);
        Accuracy.assertSameBits(shape + " paged, all rows", all.values(), cache.attend(q, cuSeqlens).values());
        lastRows(all, q, cache, cuSeqlens, new int[] {1, 1, 1, 1}, shape + " paged, decoding");
        lastRows(all, q, cache, cuSeqlens, new int[] {5, 33, 1, 2}, shape + " paged, chunks");
        int length = 70;
        PagedCache growing = new PagedCache(device, dtype, shape, new int[] {0, length});
        growing.append(k.rows(5, 5 + length), v.rows(5, 5 + length));
        Accuracy.assertSameBits(shape + " paged, one sequence", all.rows(5, 75).values(),
            growing.attend(q.rows(5, 75), new int[] {0, length}).values());
      }
    }
  }

  private static void lastRows(NdArray all, NdArray q, PagedCache cache, int[] cuSeqlens, int[] counts, String what) {
    int[] cuQ = new int[counts.length + 1];
    double[][] queries = new double[counts.length][];
    double[][] expected = new double[counts.length][];
    for (int b = 0; b < counts.length; b++) {
      cuQ[b + 1] = cuQ[b] + counts[b];
      queries[b] = q.rows(cuSeqlens[b + 1] - counts[b], cuSeqlens[b + 1]).values();
      expected[b] = all.rows(cuSeqlens[b + 1] - counts[b], cuSeqlens[b + 1]).values();
    }
    double[] rows = Stream.of(queries).flatMapToDouble(Arrays::stream).toArray();
    double[] right = Stream.of(expected).flatMapToDouble(Arrays::stream).toArray();
    Accuracy.assertSameBits(what, right, cache.attend(new NdArray(rows, cuQ[counts.length], q.columns()), cuQ).values());
  }

  private static NdArray attention(TestDevice device, DType dtype, AttentionShape shape, NdArray q, NdArray k, NdArray v, int[] cuSeqlens) {
    Tensor qkv = device.tensor(dtype, NdArray.concatColumns(q, k, v));
    Tensor o = device.output(dtype, q.rows(), shape.outColumns());
    int longest = 0;
    for (int b = 0; b + 1 < cuSeqlens.length; b++) {
      longest = Math.max(longest, cuSeqlens[b + 1] - cuSeqlens[b]);
    }
    device.backend().attention(o, null, qkv, shape, Segments.withoutParents(device.ints(cuSeqlens), longest));
    return device.read(o);
  }

  /** Log-prob and entropy as sampling stores them, as scoring gives them, and as the loss sees them. */
  @OnEveryInstructionSet
  void samplingScoringAndTheLossAgreeOnALogProb(CpuBackend.Isa isa) {
    Random random = new Random(3);
    int rows = 5;
    for (int vocab : new int[] {37, 384, 5003}) {
      for (float temperature : new float[] {1, 0.7f, 1.3f}) {
        try (TestDevice device = TestDevice.cpu(2, isa)) {
          NdArray logits = NdArray.random(random, 3, rows, vocab);
          Tensor token = device.output(DType.I32, rows);
          Tensor logprob = device.output(DType.F32, rows);
          Tensor entropy = device.output(DType.F32, rows);
          int[] counters = random.ints(4 * rows).toArray();
          SamplingSettings settings = new SamplingSettings(temperature, 20, 0.95f, 0, 1, vocab, 99);
          device.backend().sample(
              token, logprob, entropy, device.tensor(DType.F32, logits), device.ints(counters, rows, 4), null, null, settings);
          Tensor scored = device.output(DType.F32, rows);
          Tensor scoredEntropy = device.output(DType.F32, rows);
          device.backend().logprob(scored, scoredEntropy, null, device.tensor(DType.F32, logits), token, 1 / temperature);
          String what = "vocabulary " + vocab + ", temperature " + temperature;
          Accuracy.assertSameBits("log-prob, " + what, device.read(scored).values(), device.read(logprob).values());
          Accuracy.assertSameBits("entropy, " + what, device.read(scoredEntropy).values(), device.read(entropy).values());
          Tensor lossLogprob = device.output(DType.F32, rows);
          Tensor lossEntropy = device.output(DType.F32, rows);
          Tensor weight = device.tensor(DType.F32, NdArray.random(random, 1, rows));
          device.backend().policyLoss(lossLogprob, lossEntropy, device.output(DType.F32, rows), device.tensor(DType.F32, logits), token,
              new TokenInputs(weight, null, null, null, null, null), 1 / temperature, TokenLoss.LINEAR);
          Accuracy.assertSameBits("loss's log-prob, " + what, device.read(scored).values(), device.read(lossLogprob).values());
          Accuracy.assertSameBits("loss's entropy, " + what, device.read(scoredEntropy).values(), device.read(lossEntropy).values());
        }
      }
    }
  }
}
