package io.github.grpo4j.update;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;

/** Columns of a step on the device, as far as a micro-batch needs them: the elements from {@code first} on. */
record Columns(Backend backend, Arena arena, int first, int tokens) {
  /** Null where there is no such column. */
  Tensor upload(float[] column) {
    if (column == null) {
      return null;
    }
    Tensor tensor = arena.tensor(DType.F32, tokens);
    backend.upload(tensor, column, first);
    return tensor;
  }

  static Tensor part(Tensor column, int row, int n) {
    return column == null ? null : column.rows(row, n);
  }

  /** The column itself where the factor is 1. */
  static float[] scaled(float[] column, float factor) {
    if (factor == 1) {
      return column;
    }
    float[] scaled = new float[column.length];
    for (int t = 0; t < column.length; t++) {
      scaled[t] = column[t] * factor;
    }
    return scaled;
  }
}
