package io.github.grpo4j.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.testing.TestDevice;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** Memory, copies and refusals: the same on every back end. */
class BackendTest {
  private TestDevice device;
  private Backend backend;

  @BeforeEach
  void open() {
    device = TestDevice.cpu(2);
    backend = device.backend();
  }

  @AfterEach
  void close() {
    device.close();
  }

  private static void assertRefused(String sentence, Executable call) {
    assertEquals(sentence, assertThrows(IllegalArgumentException.class, call).getMessage());
  }

  // ---- life and memory ----

  @Test
  void memoryIsZeroedCountedAndGivenBack() {
    long before = backend.allocatedBytes();
    for (long elements : new long[] {0, 1, 100, 3 << 20}) {
      try (Tensor tensor = backend.allocate(DType.F32, Layout.ROWS, elements)) {
        assertEquals(backend.sizeOf(DType.F32, Layout.ROWS, elements), backend.allocatedBytes() - before);
        assertEquals(0, tensor.address() % 64);
        float[] values = new float[(int) elements];
        Arrays.fill(values, 1);
        backend.download(tensor, values, 0);
        assertArrayEquals(new float[(int) elements], values);
        Arrays.fill(values, 2);
        backend.upload(tensor, values, 0);
      }
      assertEquals(before, backend.allocatedBytes());
    }
  }

  @Test
  void anImpossibleAllocationNamesItsSizeAndWhatToChange() {
    String message = assertThrows(BackendException.class, () -> backend.allocate(DType.F32, Layout.ROWS, 1L << 50)).getMessage();
    assertTrue(message.contains("F32[1125899906842624] needs 4503599627370496 bytes, 0 are allocated so far; use a smaller"), message);
    assertThrows(ArithmeticException.class, () -> backend.allocate(DType.F32, Layout.ROWS, 1L << 40, 1L << 40));
    assertRefused("allocate: a packed tensor is an F32, BF16 or F16 matrix [out, in], not F32[33]",
        () -> backend.allocate(DType.F32, Layout.PACKED, 33));
    assertRefused("allocate: shape [-1] has a negative dimension", () -> backend.allocate(DType.F32, Layout.ROWS, -1));
  }

  @Test
  void useAfterCloseIsRefused() {
    Tensor tensor = backend.allocate(DType.F32, Layout.ROWS, 4);
    tensor.close();
    tensor.close();
    assertThrows(IllegalStateException.class, () -> backend.zero(tensor));
    Backend closed = TestBackends.open(1);
    Tensor survivor = closed.allocate(DType.F32, Layout.ROWS, 4);
    closed.close();
    closed.close();
    assertThrows(IllegalStateException.class, () -> closed.zero(survivor));
    assertThrows(IllegalStateException.class, () -> closed.allocate(DType.F32, Layout.ROWS, 4));
    survivor.close();
    assertEquals(0, closed.allocatedBytes());
  }

  @Test
  void arraysMoveFromAndToAnOffset() {
    Tensor floats = device.output(DType.F32, 2, 2);
    backend.upload(floats, new float[] {9, 1, 2, 3, 4, 9}, 1);
    float[] back = new float[6];
    backend.download(floats, back, 2);
    assertArrayEquals(new float[] {0, 0, 1, 2, 3, 4}, back);
    Tensor ints = device.ints(5, 6, 7);
    int[] intsBack = new int[4];
    backend.download(ints.rows(1, 2), intsBack, 1);
    assertArrayEquals(new int[] {0, 6, 7, 0}, intsBack);
    assertRefused("upload: F32[2, 2] has 4 elements, the array has 4 and the offset is 1", () -> backend.upload(floats, new float[4], 1));
    assertRefused("download: tensor is F32[2, 2]; it must be row-major I32", () -> backend.download(floats, new int[4], 0));
    assertRefused("download: F32[2, 2] has 4 elements, the array has 9 and the offset is -1", () -> backend.download(floats, new float[9], -1));
  }

  @Test
  void longArraysMoveInPieces() {
    int count = (1 << 24) + 3;
    int[] values = new int[count + 1];
    values[1] = 1;
    values[count - 3] = 2;
    values[count] = 3;
    Tensor ints = device.zeros(DType.I32, Layout.ROWS, count);
    backend.upload(ints, values, 1);
    int[] back = new int[count + 1];
    backend.download(ints, back, 1);
    assertArrayEquals(values, back);
  }

  @Test
  void rawBytesMoveWithTheirBuffersPosition(@TempDir Path folder) throws Exception {
    Tensor tensor = device.zeros(DType.F32, Layout.ROWS, 4);
    ByteBuffer source = ByteBuffer.allocateDirect(16).order(ByteOrder.nativeOrder()).putFloat(1).putFloat(2).putFloat(3).putFloat(4);
    source.position(4).limit(12);
    backend.upload(tensor, 8, source);
    assertEquals(12, source.position());
    assertArrayEquals(new double[] {0, 0, 2, 3}, device.read(tensor).values());
    ByteBuffer target = ByteBuffer.allocateDirect(16).order(ByteOrder.nativeOrder()).position(8);
    backend.download(tensor, 8, target);
    assertEquals(0, target.remaining());
    assertEquals(3, target.getFloat(12));
    Path file = folder.resolve("weights");
    Files.write(file, new byte[] {7, 7, 7, 0, 0, (byte) 0x80, 0x3f});
    try (FileChannel channel = FileChannel.open(file)) {
      backend.upload(tensor, 0, channel.map(FileChannel.MapMode.READ_ONLY, 3, 4));
    }
    assertEquals(1, device.read(tensor).values()[0]);
    assertRefused("upload: the buffer must be direct; this one is on the Java heap", () -> backend.upload(tensor, 0, ByteBuffer.allocate(4)));
    assertRefused("upload: 16 bytes at offset 4 do not fit F32[4] of 16 bytes", () -> backend.upload(tensor, 4, ByteBuffer.allocateDirect(16)));
    assertRefused("download: the buffer is read-only", () -> backend.download(tensor, 0, ByteBuffer.allocateDirect(4).asReadOnlyBuffer()));
  }

  @Test
  void copiesAndZeroes() {
    Tensor from = device.tensor(DType.BF16, NdArray.vector(1, 2, 3));
    Tensor to = device.output(DType.BF16, 3);
    backend.copy(to, from);
    backend.zero(from);
    assertArrayEquals(new double[] {1, 2, 3}, device.read(to).values());
    assertArrayEquals(new double[3], device.read(from).values());
    assertRefused("copy: dst is F32[3]; it must be of the type, layout and size of src BF16[3]", () -> backend.copy(device.output(DType.F32, 3), from));
  }

  @Test
  void cacheBlocksAreCopiedInPlace() {
    AttentionShape shape = new AttentionShape(2, 1, 4);
    Tensor cache = device.tensor(DType.F32, NdArray.zeros(3, 1, 4, 32));
    backend.upload(cache.rows(2, 1), filled(128, 5), 0);
    backend.kvCopyBlocks(cache, new int[] {2}, new int[] {0});
    double[] values = device.read(cache).values();
    assertEquals(5, values[127]);
    assertEquals(0, values[128]);
    assertRefused("kvCopyBlocks: block 2 to 3 of cache F32[3, 1, 4, 32]", () -> backend.kvCopyBlocks(cache, new int[] {2}, new int[] {3}));
    assertRefused("allocateKvCache: the KV cache needs at least one block", () -> backend.allocateKvCache(DType.F32, shape, 0));
  }

  private static float[] filled(int count, float value) {
    float[] values = new float[count];
    Arrays.fill(values, value);
    return values;
  }

  // ---- operands that do not fit ----

  @Test
  void everyOpNamesTheOperandThatDoesNotFit() {
    Tensor x = device.zeros(DType.F32, Layout.ROWS, 5, 8);
    Tensor half = device.zeros(DType.BF16, Layout.ROWS, 5, 8);
    Tensor w = device.zeros(DType.F32, Layout.PACKED, 3, 8);
    Tensor y = device.zeros(DType.F32, Layout.ROWS, 5, 3);
    Tensor vector = device.zeros(DType.F32, Layout.ROWS, 8);
    Tensor ids = device.ints(1, 2, 3, 4, 0);
    Tensor five = device.zeros(DType.F32, Layout.ROWS, 5);
    assertRefused("linear: w is F32[5, 8]; it must be F32[5, 8] packed", () -> backend.linear(y, x, x, null, false));
    assertRefused("linear: w is F32[3, 8] packed; it must be BF16[3, 8] packed", () -> backend.linear(y, half, w, null, false));
    assertRefused("linear: y is F32[5, 8]; it must be F32[5, 3]", () -> backend.linear(x, x, w, null, false));
    assertRefused("linear: bias is F32[8]; it must be F32[3]", () -> backend.linear(y, x, w, vector, false));
    assertRefused("linearBackwardInput: dy is F32[5, 8]; it must be F32[5, 3]", () -> backend.linearBackwardInput(x, x, w, false));
    assertRefused("linearBackwardWeight: dw is F32[3, 8] packed; it must be F32[8, 8] packed",
        () -> backend.linearBackwardWeight(w, null, x, x));
    assertRefused("embedding: ids is I32[5]; it must be I32[4]", () -> backend.embedding(x.rows(0, 4), w, ids));
    assertRefused("rmsNorm: w is F32[5]; it must be F32[8]", () -> backend.rmsNorm(x, x, five, 1e-6f));
    assertRefused("rmsNorm: eps is NaN; it must be 0 or more", () -> backend.rmsNorm(x, x, vector, Float.NaN));
    assertRefused("rope: 2 heads of 8 from column 0 do not fit x F32[5, 8]", () -> backend.rope(x, 0, 2, x, ids, false));
    assertRefused("swiglu: gateUp is F32[5, 8]; it must be F32[5, 16]", () -> backend.swiglu(x, x));
    assertRefused("logprob: invTemperature is 0.0; it must be positive and finite",
        () -> backend.logprob(five, null, null, x, ids, 0));
    assertRefused("logprobBackward: dEntropy is F32[8]; it must be F32[5]", () -> backend.logprobBackward(x, five, vector, ids, 1));
    assertRefused("policyLoss: the clipped loss needs the advantage", () -> backend.policyLoss(five, five, five, x, ids,
        new TokenInputs(five, null, null, null, null, null), 1,
        new TokenLoss(TokenLoss.Kind.CLIPPED, TokenLoss.Kl.NONE, false, 0, 0, 1, 1)));
    assertRefused("sample: vocabUsed is 9; logits are F32[5, 8]", () -> backend.sample(ids, five, five, x, device.ints(new int[20], 5, 4), null,
        null, new SamplingSettings(1, 0, 1, 0, 1, 9, 0)));
    assertRefused("sample: a repetition penalty needs the history", () -> backend.sample(ids, five, five, x, device.ints(new int[20], 5, 4), null,
        null, new SamplingSettings(1, 0, 1, 0, 1.1f, 8, 0)));
    assertRefused("adamw: grad is F32[5]; it must be F32 of the layout and size of master F32[8]",
        () -> backend.adamw(vector, vector, vector, vector, five, new AdamWSettings(1, 0, 0, 1, 0, 1, 1)));
    assertRefused("adamw: step is 0; steps count from 1",
        () -> backend.adamw(vector, vector, vector, vector, vector, new AdamWSettings(1, 0, 0, 1, 0, 0, 1)));
    AttentionShape shape = new AttentionShape(2, 1, 2);
    Tensor o = device.zeros(DType.F32, Layout.ROWS, 5, 4);
    Tensor lse = device.zeros(DType.F32, Layout.ROWS, 5, 2);
    assertRefused("attention: maxSeqlen is 6; qkv F32[5, 8] has 5 rows",
        () -> backend.attention(o, null, x, shape, Segments.withoutParents(device.ints(0, 5), 6)));
    assertRefused("attention: cuSeqlens is I32[1]; it must be I32[sequences + 1] with at least one sequence",
        () -> backend.attention(o, null, x, shape, Segments.withoutParents(device.ints(0), 5)));
    assertRefused("attention: AttentionShape[heads=3, kvHeads=2, headDim=2] needs heads to be a multiple of kvHeads and an even headDim",
        () -> backend.attention(x, null, x, new AttentionShape(3, 2, 2), Segments.withoutParents(device.ints(0, 5), 5)));
    assertRefused("attention: parents is I32[1]; it must be I32[2]",
        () -> backend.attention(o, null, x, shape, new Segments(device.ints(0, 2, 5), device.ints(-1), device.ints(0, 2), 5)));
    Segments shared = new Segments(device.ints(0, 2, 5), device.ints(-1, 0), device.ints(0, 2), 5);
    assertRefused("attentionBackward: a workspace and its rows belong to segments with parents, and only to them",
        () -> backend.attentionBackward(x, o, o, lse, x, shape, shared, null));
    assertRefused("attentionBackward: workspace is F32[4, 8]; it must be F32[4, 4]",
        () -> backend.attentionBackward(x, o, o, lse, x, shape, shared, device.zeros(DType.F32, Layout.ROWS, 4, 8)));
  }

  // ---- arenas ----

  @Test
  void anArenaCutsItsSlabAndTakesItBack() {
    try (Arena arena = new Arena(backend, 256, "activations", "training.micro_batch_tokens")) {
      Tensor first = arena.tensor(DType.F32, 3);
      long mark = arena.mark();
      Tensor second = arena.tensor(DType.BF16, 2, 16);
      assertEquals(64, second.address() - first.address());
      String full = assertThrows(BackendException.class, () -> arena.tensor(DType.F32, 64)).getMessage();
      assertEquals("the arena of activations is full: F32[64] needs 256 bytes, 128 of 256 are left; change training.micro_batch_tokens", full);
      arena.reset(mark);
      assertEquals(second.address(), arena.tensor(DType.F32, 48).address());
      assertEquals(256, arena.highWaterMark());
    }
  }
}
