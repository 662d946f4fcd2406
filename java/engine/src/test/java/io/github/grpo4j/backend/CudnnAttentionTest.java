package io.github.grpo4j.backend;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.cuda.CudaBackend;
import io.github.grpo4j.testing.Accuracy;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.testing.TestDevice;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Attention by cuDNN: the graphs that are given to it compute what the own kernels compute. On the emulated GPU they go through the
 * presets' JNI code to an emulated cuDNN, which computes whatever graph it is given.
 */
class CudnnAttentionTest {
  @BeforeAll
  static void aGpu() {
    Assumptions.assumeTrue(TestBackends.isCuda(), "cuDNN needs a GPU, or an emulated one");
  }

  static Stream<OpCase> cases() {
    Random random = new Random(7);
    return Stream.of(
        attention(random, new AttentionShape(4, 2, 16), 0, 7, 8, 27),
        attention(random, new AttentionShape(3, 3, 8), 0, 1, 2, 40),
        attention(random, new AttentionShape(6, 1, 32), 0, 11),
        attention(random, new AttentionShape(2, 1, 64), 0, 5, 5, 9),
        attention(random, new AttentionShape(1, 1, 8), 0, 1));
  }

  private static OpCase attention(Random random, AttentionShape shape, int... cuSeqlens) {
    int tokens = cuSeqlens[cuSeqlens.length - 1];
    int kvColumns = shape.kvHeads() * shape.headDim();
    return OpCases.attention(shape + " " + Arrays.toString(cuSeqlens), NdArray.random(random, 1, tokens, shape.outColumns()),
        NdArray.random(random, 1, tokens, kvColumns), NdArray.random(random, 1, tokens, kvColumns), NdArray.random(random, 1, tokens, shape.outColumns()),
        shape, cuSeqlens);
  }

  private static TestDevice cudnn() {
    return new TestDevice(CudaBackend.create(1, AttentionKernels.CUDNN));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("cases")
  void equalsItsReferenceAndFiniteDifferences(OpCase c) {
    try (TestDevice device = cudnn()) {
      c.check("by cuDNN", DType.BF16, c.expected(DType.BF16), c.run(device, DType.BF16));
    }
  }

  @Test
  void givesTheSameBitsAgainAndInAnotherBatch() {
    Random random = new Random(3);
    AttentionShape shape = new AttentionShape(4, 2, 16);
    NdArray rows = NdArray.random(random, 1, 9, shape.qkvColumns());
    try (TestDevice device = cudnn()) {
      double[] alone = forward(device, shape, rows, 0, 9);
      Accuracy.assertSameBits("again", alone, forward(device, shape, rows, 0, 9));
      double[] together = forward(device, shape, threeTimes(rows), 0, 9, 18, 27);
      for (int i = 0; i < 3; i++) {
        Accuracy.assertSameBits("sequence " + i, alone, Arrays.copyOfRange(together, i * alone.length, (i + 1) * alone.length));
      }
    }
  }

  /** Beyond the first 128 positions, where the own kernels are the reference. */
  @Test
  void equalsTheOwnKernelsOnLongerSequences() {
    OpCase c = attention(new Random(11), new AttentionShape(2, 1, 16), 0, 3, 140, 141);
    Map<String, NdArray> own;
    try (TestDevice device = new TestDevice(CudaBackend.create())) {
      own = c.run(device, DType.BF16);
    }
    try (TestDevice device = cudnn()) {
      Map<String, NdArray> results = c.run(device, DType.BF16);
      own.forEach((name, expected) -> Accuracy.assertRelative(name, expected.values(), results.get(name).values(), 1e-2));
    }
  }

  private static NdArray threeTimes(NdArray rows) {
    int count = rows.values().length;
    double[] values = new double[3 * count];
    Arrays.setAll(values, i -> rows.values()[i % count]);
    return new NdArray(values, 3L * rows.rows(), rows.columns());
  }

  private static double[] forward(TestDevice device, AttentionShape shape, NdArray rows, int... cuSeqlens) {
    Tensor o = device.output(DType.BF16, rows.rows(), shape.outColumns());
    device.backend().attention(o, null, device.tensor(DType.BF16, rows), shape, Segments.withoutParents(device.ints(cuSeqlens), longest(cuSeqlens)));
    return device.read(o).values();
  }

  private static int longest(int... cuSeqlens) {
    int longest = 0;
    for (int i = 1; i < cuSeqlens.length; i++) {
      longest = Math.max(longest, cuSeqlens[i] - cuSeqlens[i - 1]);
    }
    return longest;
  }

  @Test
  void leavesSequencesThatShareABeginningToTheOwnKernels() {
    AttentionShape shape = new AttentionShape(4, 2, 16);
    NdArray rows = NdArray.random(new Random(5), 1, 12, shape.qkvColumns());
    double[] own;
    try (TestDevice device = new TestDevice(CudaBackend.create())) {
      own = shared(device, shape, rows);
    }
    try (TestDevice device = cudnn()) {
      Accuracy.assertSameBits("shared beginning", own, shared(device, shape, rows));
    }
  }

  private static double[] shared(TestDevice device, AttentionShape shape, NdArray rows) {
    Tensor o = device.output(DType.BF16, rows.rows(), shape.outColumns());
    Segments segments = new Segments(device.ints(0, 5, 8, 12), device.ints(-1, 0, 0), device.ints(0, 5, 10), 9);
    device.backend().attention(o, null, device.tensor(DType.BF16, rows), shape, segments);
    return device.read(o).values();
  }

  /** More shapes than plans are kept for: those that went are made again. */
  @Test
  void keepsACertainNumberOfPlans() {
    try (TestDevice device = cudnn()) {
      double[] first = forward(device, new AttentionShape(1, 1, 8));
      for (int headDim = 8; headDim <= 256; headDim += 8) {
        forward(device, new AttentionShape(2, 1, headDim));
        forward(device, new AttentionShape(2, 2, headDim));
      }
      Accuracy.assertSameBits("the first shape again", first, forward(device, new AttentionShape(1, 1, 8)));
    }
  }

  private static double[] forward(TestDevice device, AttentionShape shape) {
    return forward(device, shape, NdArray.random(new Random(1), 1, 3, shape.qkvColumns()), 0, 3);
  }

  @Test
  void saysWhatItDoesNotTake() {
    try (TestDevice device = cudnn()) {
      AttentionShape shape = new AttentionShape(2, 1, 16);
      Tensor rows = device.tensor(DType.F32, NdArray.random(new Random(1), 1, 3, shape.qkvColumns()));
      Tensor o = device.output(DType.F32, 3, shape.outColumns());
      Segments segments = Segments.withoutParents(device.ints(0, 3), 3);
      assertRefuses("cuDNN has no attention in F32: set model.dtype to bf16 or f16, or backend.attention to own",
          () -> device.backend().attention(o, null, rows, shape, segments));
      AttentionShape narrow = new AttentionShape(2, 1, 12);
      assertRefuses("cuDNN has no attention for heads of 12 columns, only for multiples of 8 up to 256; set backend.attention to own",
          () -> forward(device, narrow, NdArray.random(new Random(1), 1, 3, narrow.qkvColumns()), 0, 3));
    }
  }

  private static void assertRefuses(String sentence, Runnable call) {
    String message = assertThrows(BackendException.class, call::run).getMessage();
    assertTrue(message.equals(sentence), message);
  }

  @Test
  void describesItself() {
    try (TestDevice device = cudnn()) {
      assertTrue(device.backend().description().contains(", attention by cuDNN 9."), device.backend().description());
    }
  }
}
