package io.github.grpo4j.grpo.credit;

import java.util.stream.IntStream;

/**
 * Mean and standard deviation of those values that are numbers.
 *
 * @param count how many there were; 0: mean and std are NaN
 */
public record Moments(int count, double mean, double std) {
  /** Below this a standard deviation counts as 0 in metrics. */
  private static final double ZERO = 1e-8;

  /**
   * Over {@code values[i]} for all i in {@code members}. Equal values have exactly their mean and std 0, so that rounding cannot
   * turn a group without signal into one with a little.
   */
  public static Moments of(double[] values, int[] members, StandardDeviation kind) {
    int count = 0;
    double sum = 0;
    double min = Double.POSITIVE_INFINITY;
    double max = Double.NEGATIVE_INFINITY;
    for (int i : members) {
      if (!Double.isNaN(values[i])) {
        count++;
        sum += values[i];
        min = Math.min(min, values[i]);
        max = Math.max(max, values[i]);
      }
    }
    if (count == 0) {
      return new Moments(0, Double.NaN, Double.NaN);
    }
    if (min == max) {
      return new Moments(count, min, 0);
    }
    double mean = sum / count;
    double squares = 0;
    for (int i : members) {
      if (!Double.isNaN(values[i])) {
        squares += (values[i] - mean) * (values[i] - mean);
      }
    }
    return new Moments(count, mean, Math.sqrt(squares / (kind == StandardDeviation.SAMPLE ? count - 1 : count)));
  }

  /** Over all values. */
  public static Moments of(double[] values, StandardDeviation kind) {
    return of(values, IntStream.range(0, values.length).toArray(), kind);
  }

  public boolean isZero() {
    return std <= ZERO;
  }
}
