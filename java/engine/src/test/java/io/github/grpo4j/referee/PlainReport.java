package io.github.grpo4j.referee;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What a row of metrics says of rewards and completions. */
final class PlainReport {
  private static final Pattern NUMBER = Pattern.compile("(?<![0-9)]|[0-9)] )-?[0-9]+|[0-9]+");

  private PlainReport() {}

  static void putRewards(Map<String, Double> metrics, double[][] parts, double[] weights) {
    putMoments(metrics, "reward", "reward_std", Arrays.stream(parts).mapToDouble(row -> PlainRewards.total(row, weights)).toArray());
    putMoments(metrics, "rewards/answer/mean", "rewards/answer/std", Arrays.stream(parts).mapToDouble(row -> row[0]).toArray());
    putMoments(metrics, "rewards/format/mean", "rewards/format/std", Arrays.stream(parts).mapToDouble(row -> row[1]).toArray());
  }

  /** Mean and sample standard deviation. */
  static void putMoments(Map<String, Double> metrics, String mean, String std, double[] values) {
    double average = Arrays.stream(values).average().orElse(0);
    metrics.put(mean, average);
    metrics.put(std, Math.sqrt(Arrays.stream(values).map(v -> (v - average) * (v - average)).sum() / (values.length - 1)));
  }

  /** @param suffix of the names, such as that of an evaluation */
  static void putRates(Map<String, Double> metrics, String suffix, List<Sampled> sampled, PlainRewards rewards) {
    boolean lines = rewards.readsLines();
    metrics.put("accuracy" + suffix, sampled.stream().mapToDouble(s -> lines ? rewards.parts(s)[0] : 0).average().orElse(0));
    metrics.put("format_rate" + suffix, sampled.stream().mapToDouble(s -> lines ? rewards.parts(s)[1] : 0).average().orElse(0));
    metrics.put("lenient_accuracy" + suffix, sampled.stream().mapToDouble(s -> lastNumber(s.response()).equals(s.gold()) ? 1 : 0).average().orElse(0));
    metrics.put("truncated_rate" + suffix, sampled.stream().mapToDouble(s -> s.finished() ? 0 : 1).average().orElse(0));
  }

  private static String lastNumber(String text) {
    Matcher number = NUMBER.matcher(text);
    String last = "";
    while (number.find()) {
      last = number.group();
    }
    return last;
  }

  static void putCompletions(Map<String, Double> metrics, List<Sampled> sampled) {
    int[] all = sampled.stream().mapToInt(s -> s.tokens().length).toArray();
    int[] terminated = sampled.stream().filter(Sampled::finished).mapToInt(s -> s.tokens().length).toArray();
    metrics.put("completions/clipped_ratio", 1 - (double) terminated.length / all.length);
    putLengths(metrics, "length", all);
    putLengths(metrics, "terminated_length", terminated);
  }

  private static void putLengths(Map<String, Double> metrics, String name, int[] lengths) {
    metrics.put("completions/mean_" + name, Arrays.stream(lengths).average().orElse(0));
    metrics.put("completions/min_" + name, (double) Arrays.stream(lengths).min().orElse(0));
    metrics.put("completions/max_" + name, (double) Arrays.stream(lengths).max().orElse(0));
  }
}
