package io.github.grpo4j.cli;

import io.github.grpo4j.track.Metrics;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Accuracies of a run's evaluations, greedy and sampled: the first that was seen and the latest. */
final class AccuracyHistory {
  private static final Map<String, String> METRICS = new LinkedHashMap<>();

  static {
    METRICS.put("greedy", Metrics.EVAL_ACCURACY_GREEDY);
    METRICS.put("sampled", Metrics.EVAL_ACCURACY_SAMPLED);
  }

  private final Map<String, List<Double>> values = new LinkedHashMap<>();

  void add(Map<String, Number> metrics) {
    METRICS.forEach((name, metric) -> {
      Number value = metrics.get(metric);
      if (value != null) {
        values.computeIfAbsent(name, key -> new ArrayList<>()).add(100 * value.doubleValue());
      }
    });
  }

  boolean isEmpty() {
    return values.isEmpty();
  }

  /** For example {@code greedy 86.3% (+11.3)   sampled 67.9% (+26.4)}, in brackets the change since the first. */
  String latest() {
    return join("   ", (name, seen) -> String.format(Locale.ROOT, "%s %5.1f%%%s", name, last(seen),
        seen.size() < 2 ? "" : String.format(Locale.ROOT, " (%+.1f)", last(seen) - seen.get(0))));
  }

  /** For example {@code greedy 75.0% → 86.3%, sampled 41.5% → 67.9%}. */
  String change() {
    return join(", ", (name, seen) -> seen.size() < 2 ? String.format(Locale.ROOT, "%s %.1f%%", name, last(seen))
        : String.format(Locale.ROOT, "%s %.1f%% → %.1f%%", name, seen.get(0), last(seen)));
  }

  private interface Show {
    String of(String name, List<Double> seen);
  }

  private String join(String separator, Show show) {
    List<String> parts = new ArrayList<>();
    values.forEach((name, seen) -> parts.add(show.of(name, seen)));
    return String.join(separator, parts);
  }

  private static double last(List<Double> seen) {
    return seen.get(seen.size() - 1);
  }
}
