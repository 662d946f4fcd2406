package io.github.grpo4j.grpo.loss;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Metrics of an optimizer step while they are being gathered, under TRL's names: sums with the counts that divide them once, at the end,
 * and extremes. So they do not depend on how the step was cut into micro-batches.
 */
public final class LossMetrics {
  /** Takes metrics and forgets them. */
  public static final LossMetrics NONE = new LossMetrics(false);

  private static final List<String> FIRST = List.of("loss", "policy_loss", "kl", "entropy");

  private enum Kind {
    SUM,
    COUNT,
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

    double result() {
      double value = kind == Kind.MEAN ? sum / Math.max(1, count) : sum;
      return (kind == Kind.MIN || kind == Kind.MAX) && Double.isInfinite(value) ? 0 : value;
    }
  }

  private final boolean keeps;
  private final Map<String, Value> values = new LinkedHashMap<>();

  public LossMetrics() {
    this(true);
  }

  private LossMetrics(boolean keeps) {
    this.keeps = keeps;
  }

  /** Adds to a plain sum. */
  public void sum(String name, double share) {
    if (keeps) {
      of(name, Kind.SUM).sum += share;
    }
  }

  /** Adds to a plain sum that a term has begun: the entropy bonus becomes the loss without it. */
  void addIfPresent(String name, double share) {
    if (values.containsKey(name)) {
      values.get(name).sum += share;
    }
  }

  /** Adds to a number of events, which also adds up over several optimizer steps. */
  public void count(String name, long events) {
    if (keeps) {
      of(name, Kind.COUNT).sum += events;
    }
  }

  /** Adds {@code sum} over {@code count} items to a mean. */
  public void mean(String name, double sum, double count) {
    if (keeps) {
      Value value = of(name, Kind.MEAN);
      value.sum += sum;
      value.count += count;
    }
  }

  public void min(String name, double candidate) {
    if (keeps) {
      Value value = of(name, Kind.MIN);
      value.sum = Math.min(value.sum, candidate);
    }
  }

  public void max(String name, double candidate) {
    if (keeps) {
      Value value = of(name, Kind.MAX);
      value.sum = Math.max(value.sum, candidate);
    }
  }

  /** All metrics by name: loss, KL and entropy first, then in the order of their first appearance. A mean or extreme of nothing is 0. */
  public Map<String, Double> toMap() {
    Map<String, Double> map = new LinkedHashMap<>();
    FIRST.stream().filter(values::containsKey).forEach(name -> map.put(name, values.get(name).result()));
    values.forEach((name, value) -> map.putIfAbsent(name, value.result()));
    return map;
  }

  /** The loss of the step. */
  public double loss() {
    return values.containsKey("loss") ? values.get("loss").result() : 0;
  }

  /**
   * Metrics of several optimizer steps as one row: extremes are those of all steps, events are counted together, everything else is the
   * mean over the steps.
   */
  public static Map<String, Double> combined(List<LossMetrics> steps) {
    Map<String, List<Value>> byName = new LinkedHashMap<>();
    for (LossMetrics step : steps) {
      step.toMap().keySet().forEach(name -> byName.computeIfAbsent(name, n -> new ArrayList<>()).add(step.values.get(name)));
    }
    Map<String, Double> row = new LinkedHashMap<>();
    byName.forEach((name, values) -> row.put(name, combine(values, steps.size())));
    return row;
  }

  private static double combine(List<Value> values, int steps) {
    return switch (values.get(0).kind) {
      case MIN -> values.stream().mapToDouble(Value::result).min().orElse(0);
      case MAX -> values.stream().mapToDouble(Value::result).max().orElse(0);
      case COUNT -> sum(values);
      default -> sum(values) / steps;
    };
  }

  private static double sum(List<Value> values) {
    double sum = 0;
    for (Value value : values) {
      sum += value.result();
    }
    return sum;
  }

  private Value of(String name, Kind kind) {
    return values.computeIfAbsent(name, n -> new Value(kind));
  }
}
