package io.github.grpo4j.model;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.Tensor;

/**
 * Cosines and sines of the rotary angles {@code position * theta^(-2 j / D)} (Su et al., RoFormer, 2021), F32
 * {@code [positions, D]}: cosines in the first D / 2 columns, sines in the rest.
 *
 * <p>Angles are computed in double and rounded once. In fp32, as Hugging Face has them, they drift with the position: 3e-4
 * at position 32,767.
 */
public final class RotaryTable implements AutoCloseable {
  private final Tensor table;

  public RotaryTable(Backend backend, int positions, int headDim, double theta) {
    int half = headDim / 2;
    float[] values = new float[positions * headDim];
    for (int j = 0; j < half; j++) {
      double frequency = Math.pow(theta, -2.0 * j / headDim);
      for (int p = 0; p < positions; p++) {
        values[p * headDim + j] = (float) Math.cos(p * frequency);
        values[p * headDim + half + j] = (float) Math.sin(p * frequency);
      }
    }
    table = backend.allocate(DType.F32, Layout.ROWS, positions, headDim);
    backend.upload(table, values, 0);
  }

  /** Bytes of a table. */
  public static long bytes(int positions, int headDim) {
    return 4L * positions * headDim;
  }

  public Tensor tensor() {
    return table;
  }

  public int positions() {
    return (int) table.rows();
  }

  @Override
  public void close() {
    table.close();
  }
}
