package io.github.grpo4j.bench;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.backend.cpu.CpuBackend;
import io.github.grpo4j.backend.cpu.CpuCeilings;
import java.util.function.LongFunction;

/**
 * What kernels are held against: the most that the device under the same clock, in the same minute, did of arithmetic and of
 * memory traffic. A processor is measured by instructions ({@link CpuCeilings}), any other device by its two simplest ops: a
 * square matrix product of the storage type, and a copy.
 *
 * @param operationsPerSecond a product and a sum count 2
 * @param bytesPerSecond of memory that is in no cache: read by a processor; read and written, each counted, by another device
 * @param operation what the first was measured by, for example {@code matrix product of side 8192}
 * @param traffic what the second was measured by
 */
public record Ceilings(double operationsPerSecond, double bytesPerSecond, String operation, String traffic) {
  private static final int SMALLEST_MATRIX = 128;
  private static final int LARGEST_MATRIX = 8192;
  private static final long SMALLEST_COPY = 1L << 20;
  private static final long LARGEST_COPY = 1L << 30;
  /** A call this long gives the same rate as a longer one. */
  private static final double LONG_ENOUGH_SECONDS = 20e-3;
  private static final int ROUNDS = 10;

  /** Takes one to two seconds. */
  public static Ceilings measure(Backend backend, DType dtype) {
    if (backend instanceof CpuBackend processor) {
      CpuCeilings ceilings = CpuCeilings.measure(processor, dtype);
      return new Ceilings(ceilings.multiplyAddPerSecond(), ceilings.readBytesPerSecond(), "multiplying and adding in registers", "reading memory");
    }
    Timed product = grow(SMALLEST_MATRIX, LARGEST_MATRIX, side -> product(backend, dtype, side));
    Timed copy = grow(SMALLEST_COPY, LARGEST_COPY, bytes -> copy(backend, bytes));
    double side = product.size();
    return new Ceilings(2 * side * side * side / product.seconds(), 2.0 * copy.size() / copy.seconds(),
        "matrix product of side " + product.size(), "copying " + (copy.size() >> 20) + " MiB");
  }

  private record Timed(long size, double seconds) {}

  /** The largest size, or the first that takes long enough: emulated devices are a million times slower than GPUs. */
  private static Timed grow(long smallest, long largest, LongFunction<Double> seconds) {
    long size = smallest;
    double taken = seconds.apply(size);
    while (size < largest && taken < LONG_ENOUGH_SECONDS) {
      size *= 2;
      taken = seconds.apply(size);
    }
    return new Timed(size, taken);
  }

  private static double product(Backend backend, DType dtype, long side) {
    try (Operands operands = new Operands(backend, dtype)) {
      Tensor x = operands.matrix(side, side);
      Tensor w = operands.packed(side, side);
      Tensor y = operands.matrix(side, side);
      return best(backend, () -> backend.linear(y, x, w, null, false));
    }
  }

  private static double copy(Backend backend, long bytes) {
    try (Operands operands = new Operands(backend, DType.F32)) {
      long columns = 1024;
      Tensor from = operands.floats(bytes / DType.F32.bytes() / columns, columns);
      Tensor to = operands.floats(bytes / DType.F32.bytes() / columns, columns);
      return best(backend, () -> backend.copy(to, from));
    }
  }

  /** Seconds of a call in the best of some rounds of several calls. */
  private static double best(Backend backend, Runnable call) {
    double first = time(backend, call, 1);
    int calls = (int) Math.max(1, Math.min(20, LONG_ENOUGH_SECONDS / first));
    double best = Double.POSITIVE_INFINITY;
    for (int round = 0; round < (calls == 1 ? 1 : ROUNDS); round++) {
      best = Math.min(best, time(backend, call, calls));
    }
    return best;
  }

  private static double time(Backend backend, Runnable call, int calls) {
    backend.synchronize();
    long start = System.nanoTime();
    for (int i = 0; i < calls; i++) {
      call.run();
    }
    backend.synchronize();
    return (System.nanoTime() - start) * 1e-9 / calls;
  }
}
