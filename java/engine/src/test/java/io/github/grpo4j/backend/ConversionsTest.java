package io.github.grpo4j.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.grpo4j.backend.cpu.CpuBackend;
import io.github.grpo4j.model.safetensors.HalfFloats;
import io.github.grpo4j.testing.Accuracy;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.OnEveryInstructionSet;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.testing.TestDevice;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;

class ConversionsTest {
  private static ByteBuffer buffer(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
  }

  static int[] bits(TestDevice device, Tensor tensor) {
    ByteBuffer bytes = buffer((int) tensor.bytes());
    device.backend().download(tensor, 0, bytes);
    int[] bits = new int[(int) tensor.storedElements()];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = tensor.dtype().bytes() == 2 ? bytes.getShort(2 * i) & 0xffff : bytes.getInt(4 * i);
    }
    return bits;
  }

  /** All 65,536 values of a 16-bit type become the right floats and come back the same. */
  @OnEveryInstructionSet
  void everySixteenBitValueSurvives(CpuBackend.Isa limit) {
    ByteBuffer all = buffer(2 << 16);
    for (int i = 0; i < 1 << 16; i++) {
      all.putShort((short) i);
    }
    for (DType half : new DType[] {DType.BF16, DType.F16}) {
      try (TestDevice device = TestDevice.cpu(2, limit)) {
        Tensor halves = device.zeros(half, Layout.ROWS, 1 << 16);
        device.backend().upload(halves, 0, all.rewind());
        Tensor floats = device.zeros(DType.F32, Layout.ROWS, 1 << 16);
        device.backend().cast(floats, halves);
        Tensor back = device.zeros(half, Layout.ROWS, 1 << 16);
        device.backend().cast(back, floats);
        int[] floatBits = bits(device, floats);
        int[] backBits = bits(device, back);
        for (int i = 0; i < 1 << 16; i++) {
          float expected = half == DType.BF16 ? HalfFloats.fromBfloat16((short) i) : HalfFloats.fromFloat16((short) i);
          String what = half + " bits " + Integer.toHexString(i) + " " + limit;
          if (Float.isNaN(expected)) {
            assertEquals(true, Float.isNaN(Float.intBitsToFloat(floatBits[i])), what);
          } else {
            assertEquals(Float.floatToRawIntBits(expected), floatBits[i], what);
            assertEquals(i, backBits[i], what);
          }
        }
      }
    }
  }

  /** Halfway between two neighbours the even one wins; a hair to either side the nearer one. */
  @OnEveryInstructionSet
  void roundsToNearestEven(CpuBackend.Isa limit) {
    for (DType half : new DType[] {DType.BF16, DType.F16}) {
      int infinity = half == DType.BF16 ? 0x7f80 : 0x7c00;
      int count = infinity - 1;
      double[] middles = new double[3 * count];
      int[] expected = new int[3 * count];
      for (int i = 0; i < count; i++) {
        double low = half == DType.BF16 ? HalfFloats.fromBfloat16((short) i) : HalfFloats.fromFloat16((short) i);
        double high = half == DType.BF16 ? HalfFloats.fromBfloat16((short) (i + 1)) : HalfFloats.fromFloat16((short) (i + 1));
        float middle = (float) ((low + high) / 2);
        middles[3 * i] = Math.nextDown(middle);
        middles[3 * i + 1] = middle;
        middles[3 * i + 2] = Math.nextUp(middle);
        expected[3 * i] = i;
        expected[3 * i + 1] = i + i % 2;
        expected[3 * i + 2] = i + 1;
      }
      try (TestDevice device = TestDevice.cpu(2, limit)) {
        Tensor rounded = device.zeros(half, Layout.ROWS, middles.length);
        device.backend().cast(rounded, device.tensor(DType.F32, NdArray.vector(middles)));
        int[] actual = bits(device, rounded);
        int[] byTheTests = bits(device, device.tensor(half, NdArray.vector(middles)));
        for (int i = 0; i < middles.length; i++) {
          assertEquals(expected[i], actual[i], half + " of " + middles[i] + " " + limit);
          assertEquals(expected[i], byTheTests[i], half + " of " + middles[i] + ", in the tests themselves");
        }
      }
    }
  }

  @OnEveryInstructionSet
  void rowsArePackedAndUnpackedInPieces(CpuBackend.Isa limit) {
    int n = 100;
    int k = 13;
    NdArray matrix = NdArray.random(new Random(2), 1, n, k).rounded(DType.BF16);
    for (DType packedType : TestBackends.storageTypes()) {
      for (DType rowType : new DType[] {DType.F32, DType.BF16, DType.F16}) {
        try (TestDevice device = TestDevice.cpu(2, limit)) {
          Tensor packed = device.zeros(packedType, Layout.PACKED, n, k);
          Tensor f32 = device.tensor(DType.F32, matrix);
          Tensor rows = device.zeros(rowType, Layout.ROWS, n, k);
          device.backend().cast(rows, f32);
          int[] cuts = {0, 1, 31, 33, 64, 65, n};
          for (int i = cuts.length - 2; i >= 0; i--) {
            device.backend().packRows(packed, cuts[i], rows.rows(cuts[i], cuts[i + 1] - cuts[i]));
          }
          NdArray stored = device.read(rows);
          Accuracy.assertSameBits(packedType + " from " + rowType, stored.rounded(packedType).values(), device.read(packed).values());
          Tensor part = device.zeros(rowType, Layout.ROWS, 40, k);
          device.backend().unpackRows(part, packed, 25);
          Accuracy.assertSameBits(rowType + " from " + packedType, stored.rows(25, 65).values(), device.read(part).values());
        }
      }
    }
  }

  @OnEveryInstructionSet
  void aPackedMasterIsRoundedAsPackingRounds(CpuBackend.Isa limit) {
    NdArray matrix = NdArray.random(new Random(1), 1, 45, 7);
    for (DType dtype : TestBackends.storageTypes()) {
      try (TestDevice device = TestDevice.cpu(2, limit)) {
        Tensor rounded = device.zeros(dtype, Layout.PACKED, 45, 7);
        device.backend().castPacked(rounded, device.packed(DType.F32, matrix));
        Accuracy.assertSameBits("castPacked " + dtype, matrix.rounded(dtype).values(), device.read(rounded).values());
        Accuracy.assertSameBits("packRows " + dtype, matrix.rounded(dtype).values(), device.read(device.packed(dtype, matrix)).values());
      }
    }
  }

  @OnEveryInstructionSet
  void addsElementByElement(CpuBackend.Isa limit) {
    for (DType dtype : TestBackends.storageTypes()) {
      NdArray a = NdArray.random(new Random(3), 1, 1003).rounded(dtype);
      NdArray b = NdArray.random(new Random(4), 1, 1003).rounded(dtype);
      double[] sum = new double[1003];
      for (int i = 0; i < sum.length; i++) {
        sum[i] = (float) a.values()[i] + (float) b.values()[i];
      }
      try (TestDevice device = TestDevice.cpu(2, limit)) {
        Tensor dst = device.tensor(dtype, a);
        device.backend().add(dst, device.tensor(dtype, b));
        Accuracy.assertSameBits(dtype + " " + limit, NdArray.vector(sum).rounded(dtype).values(), device.read(dst).values());
      }
    }
  }
}
