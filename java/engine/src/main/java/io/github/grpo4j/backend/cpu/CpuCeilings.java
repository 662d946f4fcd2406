package io.github.grpo4j.backend.cpu;

import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.Tensor;
import java.util.function.DoubleSupplier;

/**
 * What this machine's processor and memory can do at most with the back end's threads and instruction set: what kernels are
 * held against. Measurement, not looked up: virtual machines and clock speeds under vector load differ from data sheets.
 *
 * @param multiplyAddPerSecond arithmetic operations a second by fused products in registers (a product and a sum count 2), in
 *     the arithmetic of the storage type: bf16 is multiplied pairwise where the processor can, and as fp32 elsewhere
 * @param readBytesPerSecond reading memory that is in no cache
 */
public record CpuCeilings(double multiplyAddPerSecond, double readBytesPerSecond) {
  /** Several times the last-level cache of common machines. */
  private static final long READ_BYTES = 512L << 20;
  /** Some milliseconds of arithmetic: short, so that on a machine with other work some rounds have it for themselves. */
  private static final long ITERATIONS = 200_000;
  private static final double SECONDS = 0.7;

  /** The best of many rounds, about a second and a half in all; takes half a gigabyte meanwhile. */
  public static CpuCeilings measure(CpuBackend backend, DType dtype) {
    double[] operations = new double[1];
    double multiplyAdd = best(() -> {
      CpuBackend.check(CpuOps.g4_peak_multiply_add(backend.stream(), ITERATIONS, dtype.code(), operations), "peakMultiplyAdd");
      return operations[0];
    });
    try (Tensor memory = backend.allocate(DType.F32, Layout.ROWS, READ_BYTES / DType.F32.bytes())) {
      // Written once, or all of it would be the one page of zeros that the system shows until then.
      backend.zero(memory);
      double read = best(() -> {
        CpuBackend.check(CpuOps.g4_peak_read(backend.stream(), memory.address(), READ_BYTES), "peakRead", memory);
        return READ_BYTES;
      });
      return new CpuCeilings(multiplyAdd, read);
    }
  }

  /** @param round does some work and says how much it was */
  private static double best(DoubleSupplier round) {
    double best = 0;
    long begin = System.nanoTime();
    while (best == 0 || (System.nanoTime() - begin) * 1e-9 < SECONDS) {
      long start = System.nanoTime();
      double work = round.getAsDouble();
      best = Math.max(best, work / ((System.nanoTime() - start) * 1e-9));
    }
    return best;
  }
}
