package io.github.grpo4j.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.cpu.CpuBackend;
import io.github.grpo4j.model.safetensors.HalfFloats;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.OnEveryInstructionSet;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.testing.TestDevice;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** What only the CPU back end has: instruction sets, threads, the packed order of weights, and no arithmetic in F16. */
class CpuBackendTest {
  @BeforeEach
  void theCpuIsUnderTest() {
    TestBackends.assumeCpu("a test of the CPU back end itself");
  }

  private static void assertRefused(String sentence, Executable call) {
    assertEquals(sentence, assertThrows(IllegalArgumentException.class, call).getMessage());
  }

  @Test
  void theFastestInstructionsAreChosenOnce() {
    try (CpuBackend first = CpuBackend.create(1); CpuBackend second = CpuBackend.create(2);
        CpuBackend strongest = CpuBackend.create(1, CpuBackend.Isa.AVX512_BF16)) {
      assertEquals(first.isa(), second.isa());
      boolean choice = strongest.isa() == CpuBackend.Isa.AVX512_BF16;
      assertTrue(first.isa() == strongest.isa() || choice && first.isa() == CpuBackend.Isa.AVX512, first.description());
    }
  }

  @Test
  void saysWhatItIs() {
    try (CpuBackend baseline = CpuBackend.create(1, CpuBackend.Isa.BASELINE)) {
      assertEquals("CPU, baseline instructions, 1 thread", baseline.description());
      assertEquals(CpuBackend.Isa.BASELINE, baseline.isa());
    }
    try (CpuBackend two = CpuBackend.create(2)) {
      assertTrue(two.description().endsWith(", 2 threads"));
    }
    assertRefused("threads is 0; it must be from 1 to 1024", () -> CpuBackend.create(0));
  }

  @Test
  void packedMatricesArePaddedToWholePanels() {
    assertEquals(64 * 8 * 2, DeviceKind.CPU.bytesOf(DType.BF16, Layout.PACKED, 33, 7));
    try (CpuBackend backend = CpuBackend.create(1); Tensor packed = backend.allocate(DType.F32, Layout.PACKED, 33, 7)) {
      assertEquals(64 * 8, packed.storedElements());
      assertEquals(33 * 7, packed.elements());
    }
  }

  /** The packed order of the header: panels of 32 rows, columns padded to even, zeros in the padding. */
  @OnEveryInstructionSet
  void packedOrderIsTheDocumentedOne(CpuBackend.Isa limit) {
    int n = 45;
    int k = 7;
    int k2 = 8;
    NdArray matrix = NdArray.random(new Random(1), 1, n, k);
    try (TestDevice device = TestDevice.cpu(2, limit)) {
      Tensor f32 = device.packed(DType.F32, matrix);
      Tensor bf16 = device.packed(DType.BF16, matrix);
      int[] f32Bits = ConversionsTest.bits(device, f32);
      int[] bf16Bits = ConversionsTest.bits(device, bf16);
      assertEquals(64 * k2, f32Bits.length);
      for (int row = 0; row < 64; row++) {
        for (int column = 0; column < k2; column++) {
          float value = row < n && column < k ? (float) matrix.get(row, column) : 0;
          int panel = row / 32 * 32 * k2;
          String what = "element " + row + ", " + column + " " + limit;
          assertEquals(Float.floatToRawIntBits(value), f32Bits[panel + column * 32 + row % 32], what);
          assertEquals(HalfFloats.toBfloat16(value) & 0xffff, bf16Bits[panel + column / 2 * 64 + row % 32 * 2 + column % 2], what);
        }
      }
    }
  }

  @Test
  void arithmeticInF16IsRefused() {
    try (TestDevice device = TestDevice.cpu(1)) {
      assertRefused("allocate: the kernels of the CPU multiply F32 and BF16 matrices; F16[3, 8] packed is for a GPU",
          () -> device.backend().allocate(DType.F16, Layout.PACKED, 3, 8));
      Tensor gateUp = device.zeros(DType.F16, Layout.ROWS, 2, 8);
      Tensor y = device.zeros(DType.F16, Layout.ROWS, 2, 4);
      String message = assertThrows(BackendException.class, () -> device.backend().swiglu(y, gateUp)).getMessage();
      assertEquals("swiglu of [F16[2, 4], F16[2, 8]] failed: the kernels of the CPU do not support these shapes or types "
          + "(they compute with F32 and BF16)", message);
    }
  }
}
