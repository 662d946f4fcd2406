package io.github.grpo4j.cli;

import io.github.grpo4j.track.Metrics;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Where a run's time went so far, and how much is to come. */
final class RunClock {
  private static final List<String> PHASES = List.of("rollout", "update", "eval");

  private final long start = System.nanoTime();
  private final Map<String, Double> seconds = new HashMap<>();
  private int firstStep;
  private long firstStepStart;

  /** Adds the phases of a step. */
  void add(Map<String, Number> metrics) {
    for (String phase : PHASES) {
      Number time = metrics.get(Metrics.TIME + phase);
      if (time != null) {
        seconds.merge(phase, time.doubleValue(), Double::sum);
      }
    }
  }

  /** The first step of this process begins: what came before says nothing about the steps to come. */
  void stepBegins(int step) {
    if (firstStepStart == 0) {
      firstStep = step;
      firstStepStart = System.nanoTime();
    }
  }

  double elapsed() {
    return (System.nanoTime() - start) * 1e-9;
  }

  /** For example {@code rollout 41% update 48% eval 9%}, of the time that passed; empty as long as there is nothing to tell. */
  String split() {
    double all = elapsed();
    List<String> parts = new ArrayList<>();
    for (String phase : PHASES) {
      if (seconds.containsKey(phase)) {
        parts.add(String.format(Locale.ROOT, "%s %.0f%%", phase, 100 * seconds.get(phase) / all));
      }
    }
    return String.join(" ", parts);
  }

  /** For example {@code 2:10 left}, from the mean of the steps done in this process. */
  String left(double stepsDone, int total) {
    double here = stepsDone - firstStep + 1;
    return firstStepStart == 0 || here < 1 ? ""
        : Terminal.duration((System.nanoTime() - firstStepStart) * 1e-9 / here * (total - stepsDone)) + " left";
  }
}
