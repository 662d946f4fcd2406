package io.github.grpo4j.model;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.model.Parameter.Slice;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Seeded random weights: matrices N(0, 1 / sqrt(2 fan_in)), embedding and head N(0, 0.02), norms 1, biases 0. The stream
 * (SplitMix64 and Box-Muller) is our own, so a seed gives the same model on every JDK.
 */
public final class RandomWeights {
  private static final long ROWS_AT_ONCE = 4096;
  private static final long GAMMA = 0x9E3779B97F4A7C15L;

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
      if (parameter.isMatrix()) {
        draw(values, deviation);
      } else {
        Arrays.fill(values, constant);
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

  /** On all cores: the n-th number of the stream follows from the seed and n alone, two of them make a normal one. */
  private void draw(float[] values, double deviation) {
    long start = state;
    IntStream.range(0, values.length).parallel().forEach(i -> values[i] = (float) (deviation * gaussian(start + 2L * i * GAMMA)));
    state = start + 2L * values.length * GAMMA;
  }

  private static double gaussian(long before) {
    double radius = StrictMath.sqrt(-2 * StrictMath.log(uniform(before + GAMMA)));
    return radius * StrictMath.cos(2 * Math.PI * uniform(before + 2 * GAMMA));
  }

  /** In (0, 1]. */
  private static double uniform(long counter) {
    long z = counter;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return (((z ^ (z >>> 31)) >>> 11) + 1) * 0x1.0p-53;
  }
}
