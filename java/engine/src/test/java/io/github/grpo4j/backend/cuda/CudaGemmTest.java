package io.github.grpo4j.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.BackendException;
import io.github.grpo4j.backend.cuda.CudaGemm.Type;
import io.github.grpo4j.backend.cuda.runtime.CudaDevice;
import io.github.grpo4j.model.safetensors.HalfFloats;
import io.github.grpo4j.testing.TestBackends;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Products of small whole numbers, which every storage type holds exactly, at addresses that are aligned to one element only. */
class CudaGemmTest {
  private static final int M = 3;
  private static final int N = 5;
  private static final int K = 7;

  private final List<Long> addresses = new ArrayList<>();
  private CudaDevice device;
  private CudaGemm gemm;

  @BeforeEach
  void open() {
    Assumptions.assumeTrue(TestBackends.isCuda() && CudaInstallation.find().usable(), "there is no CUDA device");
    device = new CudaDevice();
    gemm = new CudaGemm(device);
  }

  @AfterEach
  void close() {
    if (device != null) {
      gemm.close();
      addresses.forEach(device::free);
      device.close();
    }
  }

  @ParameterizedTest
  @EnumSource(Type.class)
  void linearWithBias(Type type) {
    float[] x = whole(M * K, 1);
    float[] w = whole(N * K, 2);
    float[] bias = whole(N, 3);
    float[] before = whole(M * N, 4);
    float[] product = multiply(M, N, K, (i, k) -> x[i * K + k], (k, j) -> w[j * K + k]);
    for (Type yType : List.of(type, Type.F32)) {
      for (boolean accumulate : new boolean[] {false, true}) {
        for (boolean withBias : new boolean[] {false, true}) {
          float[] expected = floats(M * N, i -> product[i] + (accumulate ? before[i] : 0) + (withBias ? bias[i % N] : 0));
          long y = put(yType, before);
          gemm.linear(y, yType, put(type, x), put(type, w), withBias ? put(yType, bias) : 0, type, M, N, K, accumulate);
          assertArrayEquals(expected, get(yType, y, M * N), type + " into " + yType);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Type.class)
  void backward(Type type) {
    float[] x = whole(M * K, 5);
    float[] w = whole(N * K, 6);
    float[] dy = whole(M * N, 7);
    long dx = put(type, whole(M * K, 8));
    gemm.backwardInput(dx, put(type, dy), put(type, w), type, M, N, K, false);
    assertArrayEquals(multiply(M, K, N, (i, j) -> dy[i * N + j], (j, k) -> w[j * K + k]), get(type, dx, M * K));

    float[] before = whole(N * K, 9);
    float[] product = multiply(N, K, M, (j, i) -> dy[i * N + j], (i, k) -> x[i * K + k]);
    long dw = put(Type.F32, before);
    gemm.backwardWeight(dw, put(type, dy), put(type, x), type, M, N, K);
    assertArrayEquals(floats(N * K, i -> product[i] + before[i]), get(Type.F32, dw, N * K));
  }

  @Test
  void noTokensAreNoWork() {
    float[] before = whole(N * K, 1);
    long dw = put(Type.F32, before);
    gemm.backwardWeight(dw, dw, dw, Type.F32, 0, N, K);
    gemm.linear(dw, Type.F32, dw, dw, 0, Type.F32, 0, N, K, false);
    assertArrayEquals(before, get(Type.F32, dw, N * K));
  }

  /** As many shapes as a long run with packed batches meets. */
  @Test
  void shapesBeyondThoseThatAreKept() {
    long one = put(Type.F32, new float[] {1});
    long x = put(Type.F32, whole(2000, 1));
    long y = put(Type.F32, new float[2000]);
    for (int rows = 1; rows <= 2000; rows++) {
      gemm.linear(y, Type.F32, x, one, 0, Type.F32, rows, 1, 1, false);
    }
    gemm.linear(y, Type.F32, x, one, 0, Type.F32, 1, 1, 1, true);
    float[] expected = whole(2000, 1);
    expected[0] *= 2;
    assertArrayEquals(expected, get(Type.F32, y, 2000));
  }

  @Test
  void aFailureNamesTheProduct() {
    long y = put(Type.F32, new float[] {1});
    BackendException error = assertThrows(BackendException.class,
        () -> gemm.linear(y, Type.BF16, y, y, 0, Type.F16, 1, 1, 1, false));
    assertTrue(error.getMessage().contains("a product, 1 x 1 x 1, of F16 into BF16"), error.getMessage());
  }

  private interface Value {
    float at(int index);
  }

  private static float[] floats(int count, Value value) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = value.at(i);
    }
    return values;
  }

  private interface Element {
    float at(int row, int column);
  }

  private static float[] multiply(int rows, int columns, int inner, Element left, Element right) {
    float[] result = new float[rows * columns];
    for (int i = 0; i < result.length; i++) {
      for (int k = 0; k < inner; k++) {
        result[i] += left.at(i / columns, k) * right.at(k, i % columns);
      }
    }
    return result;
  }

  /** Between -3 and 3: sums of products of them stay below 256, the last whole number before bf16 skips one. */
  private static float[] whole(int count, int salt) {
    return floats(count, i -> (i * 5 + salt * 3 + i / 7) % 7 - 3);
  }

  /** Of a whole number between -3 and 3. */
  private static short smallToFloat16(float value) {
    int magnitude = new int[] {0, 0x3C00, 0x4000, 0x4200}[(int) Math.abs(value)];
    return (short) (value < 0 ? 0x8000 | magnitude : magnitude);
  }

  /** One element after the start of an allocation. */
  private long put(Type type, float[] values) {
    int[] words;
    if (type == Type.F32) {
      words = new int[values.length + 1];
      Arrays.setAll(words, i -> i == 0 ? 0 : Float.floatToRawIntBits(values[i - 1]));
    } else {
      words = new int[values.length / 2 + 1];
      for (int i = 0; i < values.length; i++) {
        short half = type == Type.F16 ? smallToFloat16(values[i]) : HalfFloats.toBfloat16(values[i]);
        words[(i + 1) / 2] |= (half & 0xFFFF) << 16 * ((i + 1) % 2);
      }
    }
    long address = device.allocate(4L * words.length);
    addresses.add(address);
    device.staging().upload(address, words, 0, words.length);
    return address + (type == Type.F32 ? 4 : 2);
  }

  private float[] get(Type type, long address, int count) {
    int[] words = new int[type == Type.F32 ? count + 1 : count / 2 + 1];
    device.staging().download(address - (type == Type.F32 ? 4 : 2), words, 0, words.length);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      if (type == Type.F32) {
        values[i] = Float.intBitsToFloat(words[i + 1]);
      } else {
        short half = (short) (words[(i + 1) / 2] >> 16 * ((i + 1) % 2));
        values[i] = type == Type.F16 ? HalfFloats.fromFloat16(half) : HalfFloats.fromBfloat16(half);
      }
    }
    return values;
  }
}
