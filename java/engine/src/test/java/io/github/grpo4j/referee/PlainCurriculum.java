package io.github.grpo4j.referee;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Map;
import java.util.stream.IntStream;

/** Which problems come next: shuffled, or from the second pass on sorted by how often they were answered rightly. */
final class PlainCurriculum {
  private final String kind;
  private final int size;
  private final int batch;
  private final long seed;
  private final double[] accuracy;
  private final boolean[] seen;
  private int pass;
  private int at;
  private int[] order;

  PlainCurriculum(Settings settings) {
    this.kind = settings.text("data.curriculum");
    this.size = settings.whole("data.train_limit");
    this.batch = settings.whole("rollout.questions_per_step");
    this.seed = (long) settings.number("training.seed");
    this.accuracy = new double[size];
    this.seen = new boolean[size];
    this.order = Order.permutation(size, seed, 0);
  }

  int stepsPerEpoch() {
    return (size + batch - 1) / batch;
  }

  int[] next() {
    return Arrays.copyOfRange(order, at, Math.min(size, at + batch));
  }

  /** @param shares of right answers, one per problem of {@link #next} */
  void done(double[] shares, Map<String, Double> metrics) {
    int[] problems = next();
    for (int i = 0; i < problems.length; i++) {
      int p = problems[i];
      accuracy[p] = seen[p] ? 0.5 * accuracy[p] + 0.5 * shares[i] : shares[i];
      seen[p] = true;
    }
    at += batch;
    if (at >= size) {
      at = 0;
      pass++;
      order = kind.equals("none") ? Order.permutation(size, seed, pass) : sorted();
    }
    if (!kind.equals("none")) {
      metrics.put("curriculum/pass", pass + 1.0);
      metrics.put("curriculum/dropped", 0.0);
      metrics.put("curriculum/seen", (double) IntStream.range(0, size).filter(p -> seen[p]).count());
      metrics.put("curriculum/accuracy", IntStream.range(0, size).filter(p -> seen[p]).mapToDouble(p -> accuracy[p]).average().getAsDouble());
    }
  }

  private int[] sorted() {
    double sign = kind.equals("easy_to_hard") ? -1 : 1;
    return IntStream.range(0, size).boxed().sorted(Comparator.comparingDouble(p -> sign * accuracy[p])).mapToInt(p -> p).toArray();
  }
}
