package io.github.grpo4j.model;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.model.Parameter.Slice;

/**
 * Seeded random weights: matrices N(0, 1 / sqrt(2 fan_in)), embedding and head N(0, 0.02), norms 1, biases 0. The stream
 * (SplitMix64 and Box-Muller) is our own, so a seed gives the same model on every JDK.
 */
public final class RandomWeights {
  private static final long ROWS_AT_ONCE = 4096;

  private long state;

  private RandomWeights(long seed) {
    this.state = seed;
  }

  public static ModelWeights create(Backend backend, ModelConfig config, DType dtype, long seed) {
    ModelWeights weights = new ModelWeights(backend, config, dtype);
    RandomWeights random = new RandomWeights(seed);
    for (Parameter parameter : weights.parameters()) {
      for (Slice slice : parameter.slices()) {
        random.fill(backend, weights, parameter, slice);
      }
    }
    return weights;
  }

  private void fill(Backend backend, ModelWeights weights, Parameter parameter, Slice slice) {
    long columns = parameter.isMatrix() ? parameter.weight().dim(1) : 1;
    boolean vocabulary = parameter == weights.embedding() || parameter == weights.head();
    double deviation = vocabulary ? 0.02 : 1 / Math.sqrt(2.0 * columns);
    float constant = slice.fileName().endsWith("bias") ? 0 : 1;
    for (long row = 0; row < slice.rows(); row += ROWS_AT_ONCE) {
      long rows = Math.min(ROWS_AT_ONCE, slice.rows() - row);
      float[] values = new float[Math.toIntExact(rows * columns)];
      for (int i = 0; i < values.length; i++) {
        values[i] = parameter.isMatrix() ? (float) (deviation * gaussian()) : constant;
      }
      try (Tensor piece = backend.allocate(DType.F32, Layout.ROWS, rows, columns)) {
        backend.upload(piece, values, 0);
        if (parameter.isMatrix()) {
          backend.packRows(parameter.weight(), slice.row0() + row, piece);
        } else {
          backend.cast(parameter.weight().rows(slice.row0() + row, rows), piece.reshape(rows));
        }
      }
    }
  }

  private double gaussian() {
    double radius = StrictMath.sqrt(-2 * StrictMath.log(uniform()));
    return radius * StrictMath.cos(2 * Math.PI * uniform());
  }

  /** In (0, 1]. */
  private double uniform() {
    state += 0x9E3779B97F4A7C15L;
    long z = state;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return (((z ^ (z >>> 31)) >>> 11) + 1) * 0x1.0p-53;
  }
}
