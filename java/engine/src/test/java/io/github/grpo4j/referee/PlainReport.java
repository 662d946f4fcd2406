package io.github.grpo4j.referee;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/** Metrics of what was sampled and of what it was worth. */
final class PlainReport {
  private static final Pattern NUMBER = Pattern.compile("(?<![0-9)]|[0-9)] )-?[0-9]+|[0-9]+");

  private PlainReport() {}

  static void rewards(Map<String, Double> metrics, double[][] parts, double[] weights) {
    moments(metrics, "reward", "reward_std", Arrays.stream(parts).mapToDouble(row -> PlainRewards.total(row, weights)).toArray());
    moments(metrics, "rewards/answer/mean", "rewards/answer/std", Arrays.stream(parts).mapToDouble(row -> row[0]).toArray());
    moments(metrics, "rewards/format/mean", "rewards/format/std", Arrays.stream(parts).mapToDouble(row -> row[1]).toArray());
  }

  /** Mean and sample standard deviation. */
  static void moments(Map<String, Double> metrics, String mean, String std, double[] values) {
    double average = Arrays.stream(values).average().orElse(0);
    metrics.put(mean, average);
    metrics.put(std, Math.sqrt(Arrays.stream(values).map(v -> (v - average) * (v - average)).sum() / (values.length - 1)));
  }

  /** What is said of completions whatever their reward. */
  static void rates(Map<String, Double> metrics, String prefix, String suffix, List<Sampled> sampled, PlainRewards rewards) {
    metrics.put(prefix + "accuracy" + suffix, sampled.stream().mapToDouble(s -> rewards.verdict(s)[0]).average().orElse(0));
    metrics.put(prefix + "format_rate" + suffix, sampled.stream().mapToDouble(s -> rewards.verdict(s)[1]).average().orElse(0));
    metrics.put(prefix + "lenient_accuracy" + suffix,
        sampled.stream().mapToDouble(s -> lastNumber(s.response()).equals(s.gold()) ? 1 : 0).average().orElse(0));
    metrics.put(prefix + "truncated_rate" + suffix, sampled.stream().mapToDouble(s -> s.finished() ? 0 : 1).average().orElse(0));
  }

  private static String lastNumber(String text) {
    Matcher number = NUMBER.matcher(text);
    String last = "";
    while (number.find()) {
      last = number.group();
    }
    return last;
  }

  static void completions(Map<String, Double> metrics, List<Sampled> sampled) {
    lengths(metrics, "length", sampled);
    lengths(metrics, "terminated_length", sampled.stream().filter(Sampled::finished).toList());
    metrics.put("completions/clipped_ratio", sampled.stream().mapToInt(s -> s.finished() ? 0 : 1).average().orElse(0));
  }

  private static void lengths(Map<String, Double> metrics, String name, List<Sampled> sampled) {
    metrics.put("completions/mean_" + name, sampled.stream().mapToInt(s -> s.tokens().length).average().orElse(0));
    metrics.put("completions/min_" + name, (double) sampled.stream().mapToInt(s -> s.tokens().length).min().orElse(0));
    metrics.put("completions/max_" + name, (double) sampled.stream().mapToInt(s -> s.tokens().length).max().orElse(0));
  }

  /** Shares of the completions that have a reward. */
  static void buckets(Map<String, Double> metrics, int[] buckets, boolean[] comparedWithQuestion, IntPredicate scored) {
    int[] those = IntStream.range(0, buckets.length).filter(scored).toArray();
    for (int b = 0; b < 3; b++) {
      int bucket = b;
      double share = Arrays.stream(those).filter(i -> buckets[i] == bucket).count() / (double) those.length;
      metrics.put("length_bucket/" + List.of("short", "medium", "long").get(b), share);
    }
    metrics.put("length_bucket/fallback", Arrays.stream(those).filter(i -> comparedWithQuestion[i]).count() / (double) those.length);
  }
}
