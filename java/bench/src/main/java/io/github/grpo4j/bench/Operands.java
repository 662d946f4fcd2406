package io.github.grpo4j.bench;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntUnaryOperator;

/**
 * Tensors that a measurement works on, owned by it: random numbers from -1 to 1, since a processor or a GPU that multiplies zeros
 * is faster than one that does its work. Beyond a million elements the numbers repeat, or drawing them would take longer than
 * measuring.
 */
final class Operands implements AutoCloseable {
  private static final int RANDOM_ELEMENTS = 1 << 20;

  private final Backend backend;
  private final DType dtype;
  private final List<AutoCloseable> owned = new ArrayList<>();
  private final SplittableRandom random = new SplittableRandom(1);

  /** @param dtype storage of {@link #matrix} and {@link #packed} */
  Operands(Backend backend, DType dtype) {
    this.backend = backend;
    this.dtype = dtype;
  }

  <T extends AutoCloseable> T own(T resource) {
    owned.add(resource);
    return resource;
  }

  /** Zeroed. */
  Tensor allocate(DType type, Layout layout, long... shape) {
    return own(backend.allocate(type, layout, shape));
  }

  /** Row-major F32. */
  Tensor floats(long rows, long columns) {
    return fill(allocate(DType.F32, Layout.ROWS, rows, columns));
  }

  /** Row-major, of the storage type. */
  Tensor matrix(long rows, long columns) {
    return fill(allocate(dtype, Layout.ROWS, rows, columns));
  }

  /** A weight, of the storage type. */
  Tensor packed(long rows, long columns) {
    return fill(allocate(dtype, Layout.PACKED, rows, columns));
  }

  /** F32, one dimension. */
  Tensor vector(int elements) {
    return floats(1, elements).reshape(elements);
  }

  Tensor ints(int count, IntUnaryOperator value) {
    int[] values = new int[count];
    Arrays.setAll(values, value);
    Tensor tensor = allocate(DType.I32, Layout.ROWS, count);
    backend.upload(tensor, values, 0);
    return tensor;
  }

  int randomBelow(int bound) {
    return random.nextInt(bound);
  }

  private Tensor fill(Tensor matrix) {
    long rows = matrix.rows();
    int columns = Math.toIntExact(matrix.columns());
    int block = (int) Math.min(rows, Math.max(1, RANDOM_ELEMENTS / columns));
    float[] values = new float[block * columns];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (random.nextDouble() * 2 - 1);
    }
    try (Tensor drawn = backend.allocate(DType.F32, Layout.ROWS, block, columns)) {
      backend.upload(drawn, values, 0);
      for (long row = 0; row < rows; row += block) {
        long count = Math.min(block, rows - row);
        if (matrix.layout() == Layout.PACKED) {
          backend.packRows(matrix, row, drawn.rows(0, count));
        } else {
          backend.cast(matrix.rows(row, count), drawn.rows(0, count));
        }
      }
    }
    return matrix;
  }

  @Override
  public void close() {
    for (AutoCloseable resource : owned) {
      try {
        resource.close();
      } catch (Exception e) {
        throw new IllegalStateException("an operand could not be freed: " + e.getMessage(), e);
      }
    }
  }
}
