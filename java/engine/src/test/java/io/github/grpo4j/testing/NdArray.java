package io.github.grpo4j.testing;

import io.github.grpo4j.backend.DType;
import io.github.grpo4j.model.safetensors.HalfFloats;
import java.util.Arrays;
import java.util.Random;

/** A row-major array of doubles with its shape: what references compute with and kernels are compared to. */
public record NdArray(double[] values, long... shape) {
  public NdArray {
    long elements = Arrays.stream(shape).reduce(1, Math::multiplyExact);
    if (elements != values.length) {
      throw new IllegalArgumentException(values.length + " values for shape " + Arrays.toString(shape));
    }
  }

  /** Normally distributed. */
  public static NdArray random(Random random, double scale, long... shape) {
    double[] values = new double[Math.toIntExact(Arrays.stream(shape).reduce(1, Math::multiplyExact))];
    Arrays.setAll(values, i -> (float) (scale * random.nextGaussian()));
    return new NdArray(values, shape);
  }

  public static NdArray zeros(long... shape) {
    return new NdArray(new double[Math.toIntExact(Arrays.stream(shape).reduce(1, Math::multiplyExact))], shape);
  }

  public static NdArray vector(double... values) {
    return new NdArray(values, values.length);
  }

  public int rows() {
    return Math.toIntExact(shape[0]);
  }

  public int columns() {
    return shape[0] == 0 ? 0 : values.length / rows();
  }

  public double get(int row, int column) {
    return values[row * columns() + column];
  }

  public NdArray reshape(long... newShape) {
    return new NdArray(values, newShape);
  }

  public NdArray rows(int from, int to) {
    return new NdArray(Arrays.copyOfRange(values, from * columns(), to * columns()), to - from, columns());
  }

  public NdArray times(double factor) {
    return new NdArray(Arrays.stream(values).map(v -> v * factor).toArray(), shape);
  }

  /** Each value as the type stores it, so that a kernel and a reference see the same numbers. */
  public NdArray rounded(DType dtype) {
    return new NdArray(Arrays.stream(values).map(v -> switch (dtype) {
      case F32 -> (float) v;
      case BF16 -> HalfFloats.fromBfloat16(HalfFloats.toBfloat16((float) v));
      case F16 -> HalfFloats.fromFloat16(Float16.of((float) v));
      default -> throw new IllegalArgumentException("rounding to " + dtype);
    }).toArray(), shape);
  }

  public NdArray copy() {
    return new NdArray(values.clone(), shape);
  }

  /** Matrices side by side: all with as many rows. */
  public static NdArray concatColumns(NdArray... parts) {
    int rows = parts[0].rows();
    int columns = Arrays.stream(parts).mapToInt(NdArray::columns).sum();
    double[] values = new double[rows * columns];
    int at = 0;
    for (NdArray part : parts) {
      for (int r = 0; r < rows; r++) {
        System.arraycopy(part.values, r * part.columns(), values, r * columns + at, part.columns());
      }
      at += part.columns();
    }
    return new NdArray(values, rows, columns);
  }

  /** Columns {@code [from, to)} as a matrix. */
  public NdArray slice(int from, int to) {
    double[] part = new double[rows() * (to - from)];
    for (int r = 0; r < rows(); r++) {
      System.arraycopy(values, r * columns() + from, part, r * (to - from), to - from);
    }
    return new NdArray(part, rows(), to - from);
  }
}
