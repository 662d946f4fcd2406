package io.github.grpo4j.curriculum;

import io.github.grpo4j.data.SplitMix64;
import java.util.Comparator;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.IntStream;

/**
 * A sort by accuracy, with as much chance in it as is asked for.
 *
 * @param key of a problem with some accuracy: small keys come first
 * @param window places within which problems are shuffled; {@link #TIES} shuffles those of equal key
 */
record Ranking(DoubleUnaryOperator key, int window) {
  static final int TIES = 0;
  /** Sets these random numbers apart from those of other purposes. */
  private static final long JITTER = 4;

  /**
   * @param positions in rising order, so that of equal keys the lower position comes first
   * @param accuracy of every position
   * @return the positions in the order of a pass
   */
  int[] order(int[] positions, double[] accuracy, long seed, long epoch) {
    int[] order = IntStream.of(positions).boxed().sorted(Comparator.comparingDouble(position -> key(accuracy[position])))
        .mapToInt(Integer::intValue).toArray();
    SplitMix64 random = SplitMix64.keyed(JITTER, seed, epoch);
    for (int from = 0; from < order.length; ) {
      int to = window == TIES ? endOfTie(order, from, accuracy) : Math.min(order.length, from + window);
      random.shuffle(order, from, to);
      from = to;
    }
    return order;
  }

  private int endOfTie(int[] order, int from, double[] accuracy) {
    int to = from + 1;
    while (to < order.length && key(accuracy[order[to]]) == key(accuracy[order[from]])) {
      to++;
    }
    return to;
  }

  private double key(double accuracy) {
    return key.applyAsDouble(accuracy);
  }
}
