package io.github.grpo4j.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.DoubleFunction;

/** One row a step, in as many columns as the terminal is wide. */
final class StepTable {
  /**
   * @param metric the metric that it shows
   * @param keep the least go first where there is no room
   */
  private record Column(String title, int width, String metric, int keep, DoubleFunction<String> format) {
    String cell(Map<String, Number> metrics) {
      Number value = metrics.get(metric);
      return pad(value == null || Double.isNaN(value.doubleValue()) ? "-" : format.apply(value.doubleValue()));
    }

    String pad(String text) {
      return " ".repeat(Math.max(1, width - text.length())) + text;
    }
  }

  private static final List<Column> COLUMNS = List.of(
      new Column("reward", 9, "reward", 9, number("%.3f")),
      new Column("right", 9, "accuracy", 10, number("%.1f%%", 100)),
      new Column("format", 8, "format_rate", 4, number("%.1f%%", 100)),
      // Groups with signal, 1 - frac_reward_zero_std: completions that are all worth the same teach nothing.
      new Column("signal", 8, "frac_reward_zero_std", 5, share -> String.format(Locale.ROOT, "%.0f%%", 100 * (1 - share))),
      new Column("length", 8, "completions/mean_length", 7, number("%.1f")),
      new Column("truncated", 11, "truncated_rate", 3, number("%.1f%%", 100)),
      new Column("entropy", 9, "entropy", 6, number("%.3f")),
      new Column("grad norm", 11, "grad_norm", 5, number("%.3f")),
      new Column("lr", 9, "learning_rate", 2, number("%.1e")),
      new Column("rollout t/s", 13, "rollout/tokens_per_s", 8, number("%,.0f")),
      new Column("train t/s", 11, "train/tokens_per_s", 8, number("%,.0f")),
      new Column("s", 7, "step_time", 9, number("%.2f")));
  private static final int STEP_WIDTH = 6;

  private final List<Column> shown;

  StepTable(int width) {
    shown = new ArrayList<>(COLUMNS);
    while (STEP_WIDTH + shown.stream().mapToInt(Column::width).sum() >= width && shown.size() > 1) {
      shown.remove(shown.stream().min((a, b) -> Integer.compare(a.keep, b.keep)).orElseThrow());
    }
  }

  private static DoubleFunction<String> number(String format) {
    return number(format, 1);
  }

  private static DoubleFunction<String> number(String format, double unit) {
    return value -> String.format(Locale.ROOT, format, unit * value);
  }

  String header() {
    StringBuilder header = new StringBuilder(" ".repeat(STEP_WIDTH - 4)).append("step");
    shown.forEach(column -> header.append(column.pad(column.title)));
    return header.toString();
  }

  String row(int step, Map<String, Number> metrics) {
    StringBuilder row = new StringBuilder(String.format(Locale.ROOT, "%" + STEP_WIDTH + "d", step));
    shown.forEach(column -> row.append(column.cell(metrics)));
    return row.toString();
  }
}
