package io.github.grpo4j.grpo.loss;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Metrics of an optimizer step while they are being gathered: sums with the counts that divide them once, at the end, and extremes. So they
 * do not depend on how the step was cut into micro-batches. Names are kept in the order of their first appearance.
 */
public final class LossMetrics {
  private enum Kind {
    SUM,
    MEAN,
    MIN,
    MAX
  }

  private static final class Value {
    final Kind kind;
    double sum;
    double count;

    Value(Kind kind) {
      this.kind = kind;
      this.sum = kind == Kind.MIN ? Double.POSITIVE_INFINITY : kind == Kind.MAX ? Double.NEGATIVE_INFINITY : 0;
    }
  }

  private final Map<String, Value> values = new LinkedHashMap<>();

  /** Adds to a plain sum. */
  public void sum(String name, double share) {
    of(name, Kind.SUM).sum += share;
  }

  /** Adds {@code sum} over {@code count} items to a mean. */
  public void mean(String name, double sum, double count) {
    Value value = of(name, Kind.MEAN);
    value.sum += sum;
    value.count += count;
  }

  public void min(String name, double candidate) {
    Value value = of(name, Kind.MIN);
    value.sum = Math.min(value.sum, candidate);
  }

  public void max(String name, double candidate) {
    Value value = of(name, Kind.MAX);
    value.sum = Math.max(value.sum, candidate);
  }

  /** All metrics by name; a mean over nothing and an extreme of nothing are 0. */
  public Map<String, Double> toMap() {
    Map<String, Double> map = new LinkedHashMap<>();
    values.forEach((name, value) -> map.put(name, value.kind == Kind.MEAN ? value.sum / Math.max(1, value.count) : finiteOrZero(value.sum, value.kind)));
    return map;
  }

  private static double finiteOrZero(double value, Kind kind) {
    return kind == Kind.SUM || Double.isFinite(value) ? value : 0;
  }

  private Value of(String name, Kind kind) {
    return values.computeIfAbsent(name, n -> new Value(kind));
  }
}
