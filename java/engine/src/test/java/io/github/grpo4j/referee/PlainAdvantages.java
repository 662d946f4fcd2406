package io.github.grpo4j.referee;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/** Rewards to advantages: overlong treatment, grouping, estimator, difficulty. NaN is a row without reward. */
final class PlainAdvantages {
  final double[] values;
  final boolean[] masked;
  final Map<String, Double> metrics = new LinkedHashMap<>();
  private double fractionZeroStd;
  private final Settings settings;
  private final List<Sampled> step;
  private double[][] parts;
  private final double[] weights;
  private final double[] totals;
  private final int n;

  /**
   * @param parts rewards that are trained with, one row per completion
   * @param features hidden states of all completions; null where rewards are not shared by similarity
   * @param klSums sum of log-prob minus reference log-prob of each completion; null where the reward has no such part
   */
  PlainAdvantages(Settings settings, List<Sampled> step, double[][] parts, double[] weights, double[][] features, double[] klSums) {
    this.settings = settings;
    this.step = step;
    this.parts = parts;
    this.weights = weights;
    this.n = step.size();
    this.values = new double[n];
    this.masked = new boolean[n];
    this.totals = new double[n];
    double[] penalties = new double[n];
    boolean[] left = new boolean[n];
    for (int i = 0; i < n; i++) {
      penalties[i] = overlong(i);
      left[i] = Double.isNaN(penalties[i]);
    }
    if (features != null) {
      share(left, features);
    }
    for (int i = 0; i < n; i++) {
      totals[i] = PlainRewards.total(this.parts[i], weights) + penalties[i] - (klSums == null ? 0 : settings.number("grpo.kl_coef") * klSums[i]);
    }
    report(penalties, klSums);
    for (int i = 0; i < n; i++) {
      double advantage = advantage(i);
      values[i] = Double.isNaN(totals[i]) ? 0 : advantage;
    }
    if (settings.text("grpo.advantage").equals("normalize_then_sum")) {
      normaliseAgain();
    }
    metrics.put("frac_reward_zero_std", fractionZeroStd);
    weigh();
  }

  private void share(boolean[] left, double[][] features) {
    double[][] shared = new PlainSimilarity(settings).shape(step, parts, left, features);
    int[] scored = IntStream.range(0, n).filter(i -> !left[i]).toArray();
    metrics.put("similarity/reward_shift_mean", Arrays.stream(scored)
        .mapToDouble(i -> Math.abs(PlainRewards.total(shared[i], weights) - PlainRewards.total(parts[i], weights))).average().orElse(0));
    parts = shared;
  }

  private void report(double[] penalties, double[] klSums) {
    double truncated = step.stream().mapToDouble(sampled -> sampled.finished() ? 0 : 1).average().orElse(0);
    switch (settings.text("grpo.overlong")) {
      case "drop" -> metrics.put("overlong/dropped", truncated);
      case "mask" -> metrics.put("overlong/masked", truncated);
      case "soft_penalty" -> metrics.put("rewards/overlong/mean", Arrays.stream(penalties).average().orElse(0));
      default -> { }
    }
    if (klSums != null) {
      PlainReport.putMoments(metrics, "rewards/kl/mean", "rewards/kl/std", klSums);
    }
    if (settings.text("grpo.grouping").equals("length_bucket")) {
      int[] bucket = buckets(lengths());
      String[] names = {"short", "medium", "long"};
      for (int b = 0; b < names.length; b++) {
        int wanted = b;
        metrics.put("length_bucket/" + names[b], (double) Arrays.stream(bucket).filter(one -> one == wanted).count() / n);
      }
      metrics.put("length_bucket/fallback", (double) IntStream.range(0, n).filter(i -> sameBucket(bucket, i).count() < 4).count() / n);
    }
  }

  private IntStream sameBucket(int[] bucket, int i) {
    return IntStream.range(0, n).filter(j -> step.get(j).group() == step.get(i).group() && bucket[j] == bucket[i]);
  }

  private int[] lengths() {
    return step.stream().mapToInt(sampled -> sampled.tokens().length).toArray();
  }

  private double overlong(int i) {
    Sampled sampled = step.get(i);
    int most = settings.whole("rollout.max_new_tokens");
    switch (settings.text("grpo.overlong")) {
      case "drop":
        masked[i] = !sampled.finished();
        return masked[i] ? Double.NaN : 0;
      case "mask":
        masked[i] = !sampled.finished();
        return 0;
      case "soft_penalty":
        double buffer = Math.max(1, most / 5);
        return Math.min(0, -(sampled.tokens().length - (most - buffer)) / buffer);
      default:
        return 0;
    }
  }

  private double advantage(int i) {
    IntPredicate group = compared(i);
    double mean = mean(totals, group);
    double std = std(totals, group, settings.text("grpo.std").equals("population"));
    double eps = settings.number("grpo.advantage_eps");
    double all = std(totals, j -> true, settings.text("grpo.std").equals("population"));
    boolean ofBatch = settings.text("grpo.advantage").equals("batch") || settings.text("grpo.advantage").equals("normalize_then_sum");
    if (!ofBatch && std < 1e-8 && !Double.isNaN(mean)) { // a group without any reward has nothing to compare
      fractionZeroStd += 1.0 / n;
    }
    if (ofBatch) {
      fractionZeroStd = all < 1e-8 ? 1 : 0;
    }
    return switch (settings.text("grpo.advantage")) {
      case "none" -> totals[i] - mean;
      case "batch" -> (totals[i] - mean) / (all + eps);
      case "normalize_then_sum" -> summedParts(i, group, eps);
      default -> (totals[i] - mean) / (std + eps);
    };
  }

  private double summedParts(int i, IntPredicate group, double eps) {
    double sum = 0;
    for (int f = 0; f < weights.length; f++) {
      int part = f;
      double[] column = Arrays.stream(parts).mapToDouble(row -> row[part]).toArray();
      sum += weights[f] * (column[i] - mean(column, group)) / (std(column, group, settings.text("grpo.std").equals("population")) + eps);
    }
    return sum;
  }

  private void normaliseAgain() {
    double mean = mean(values, j -> true);
    double std = std(values, j -> true, settings.text("grpo.std").equals("population"));
    fractionZeroStd = std < 1e-8 ? 1 : 0;
    for (int i = 0; i < n; i++) {
      values[i] = (values[i] - mean) / (std + settings.number("grpo.advantage_eps"));
    }
  }

  /** Completions of the same question, and of the same length where there are four of them. */
  private IntPredicate compared(int i) {
    IntPredicate question = j -> step.get(j).group() == step.get(i).group();
    if (settings.text("grpo.grouping").equals("question")) {
      return question;
    }
    int[] bucket = buckets(lengths());
    return sameBucket(bucket, i).count() < 4 ? question : question.and(j -> bucket[j] == bucket[i]);
  }

  /** 0 short, 1 medium, 2 long. */
  static int[] buckets(int[] lengths) {
    double mean = Arrays.stream(lengths).average().orElse(0);
    double variance = Arrays.stream(lengths).mapToDouble(length -> (length - mean) * (length - mean)).average().orElse(0);
    double width = Math.sqrt(variance) < 1e-6 ? 1 : Math.sqrt(variance);
    return Arrays.stream(lengths).map(length -> length < mean - width ? 0 : length > mean + width ? 2 : 1).toArray();
  }

  private void weigh() {
    String kind = settings.text("grpo.weighting");
    if (kind.equals("none")) {
      return;
    }
    int questions = step.stream().mapToInt(Sampled::group).max().orElse(-1) + 1;
    double[] accuracy = new double[questions];
    double overall = 0;
    for (int q = 0; q < questions; q++) {
      int question = q;
      accuracy[q] = mean(Arrays.stream(parts).mapToDouble(row -> row[0]).toArray(), j -> step.get(j).group() == question);
      overall += accuracy[q] / questions;
    }
    double[] softmax = softmax(accuracy);
    double[] weight = new double[n];
    for (int i = 0; i < n; i++) {
      int q = step.get(i).group();
      double a = accuracy[q];
      double x = values[i] > 0 ? a : 1 - a;
      weight[i] = switch (kind) {
        case "additive" -> Math.max(0.5, Math.min(2, 1 + overall - a));
        case "ratio" -> a < 1e-6 || overall < 1e-6 ? 1 : Math.max(0.5, Math.min(2, overall / (a + 1e-6)));
        case "logistic" -> 0.4 + 1.1 / (1 + Math.exp(10 * (x - 0.75)));
        case "focal" -> Math.sqrt(1 - a);
        case "softmax" -> softmax[q];
        default -> throw new IllegalArgumentException(kind);
      };
      values[i] *= weight[i];
    }
    metrics.put("difficulty/weight_mean", Arrays.stream(weight).average().orElse(0));
    metrics.put("difficulty/weight_min", Arrays.stream(weight).min().orElse(0));
    metrics.put("difficulty/weight_max", Arrays.stream(weight).max().orElse(0));
  }

  private double[] softmax(double[] accuracy) {
    double[] weight = new double[accuracy.length];
    double sum = 0;
    int count = 0;
    for (int q = 0; q < weight.length; q++) {
      int question = q;
      if (std(totals, j -> step.get(j).group() == question, true) > 0) {
        weight[q] = Math.exp(-(accuracy[q] == 0 ? 1 : accuracy[q]) / 2);
        sum += weight[q];
        count++;
      }
    }
    for (int q = 0; q < weight.length; q++) {
      weight[q] = weight[q] == 0 ? 1 : count * weight[q] / sum;
    }
    return weight;
  }

  /** The value itself where all are equal: what does not differ teaches exactly nothing. */
  private double mean(double[] of, IntPredicate group) {
    double[] members = IntStream.range(0, n).filter(j -> group.test(j) && !Double.isNaN(totals[j])).mapToDouble(j -> of[j]).toArray();
    boolean equal = Arrays.stream(members).allMatch(value -> value == members[0]);
    return members.length == 0 ? Double.NaN : equal ? members[0] : Arrays.stream(members).sum() / members.length;
  }

  private double std(double[] of, IntPredicate group, boolean population) {
    double mean = mean(of, group);
    double squares = 0;
    int count = 0;
    for (int j = 0; j < n; j++) {
      if (group.test(j) && !Double.isNaN(totals[j])) {
        squares += (of[j] - mean) * (of[j] - mean);
        count++;
      }
    }
    double std = Math.sqrt(squares / (population ? count : count - 1));
    return std < 1e-12 || count < 2 ? 0 : std;
  }
}
