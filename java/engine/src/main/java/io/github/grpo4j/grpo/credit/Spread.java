package io.github.grpo4j.grpo.credit;

/** Mean and standard deviation of those values that are numbers. */
record Spread(int count, double mean, double std) {
  /** Below this a standard deviation counts as 0 in metrics. */
  private static final double ZERO = 1e-8;

  /**
   * Over {@code values[i]} with {@code group[i] == wanted}; group null: over all. Without values mean and std are NaN; equal
   * values have exactly their mean and std 0, so that rounding cannot turn a group without signal into one with a little.
   */
  static Spread of(double[] values, int[] group, int wanted, StandardDeviation kind) {
    int count = 0;
    double sum = 0;
    double min = Double.POSITIVE_INFINITY;
    double max = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < values.length; i++) {
      if (counts(values, group, wanted, i)) {
        count++;
        sum += values[i];
        min = Math.min(min, values[i]);
        max = Math.max(max, values[i]);
      }
    }
    if (count == 0) {
      return new Spread(0, Double.NaN, Double.NaN);
    }
    if (min == max) {
      return new Spread(count, min, 0);
    }
    double mean = sum / count;
    double squares = 0;
    for (int i = 0; i < values.length; i++) {
      if (counts(values, group, wanted, i)) {
        squares += (values[i] - mean) * (values[i] - mean);
      }
    }
    return new Spread(count, mean, Math.sqrt(squares / (kind == StandardDeviation.SAMPLE ? count - 1 : count)));
  }

  static Spread of(double[] values, StandardDeviation kind) {
    return of(values, null, 0, kind);
  }

  boolean isZero() {
    return std <= ZERO;
  }

  private static boolean counts(double[] values, int[] group, int wanted, int i) {
    return (group == null || group[i] == wanted) && !Double.isNaN(values[i]);
  }
}
