package io.github.grpo4j.referee;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/** Rewards to advantages: grouping, estimator, difficulty. NaN is a row without reward. */
final class PlainAdvantages {
  final double[] values;
  private double fractionZeroStd;
  private final Settings settings;
  private final List<Sampled> step;
  private final double[][] parts;
  private final double[] weights;
  private final double[] totals;
  private final double[] right;
  private final int[] bucket;
  private final boolean population;
  private final int n;

  /** @param right 1 for a right answer, else 0 */
  PlainAdvantages(Settings settings, List<Sampled> step, PlainShaping shaped, double[] right, Map<String, Double> metrics) {
    this.settings = settings;
    this.step = step;
    this.parts = shaped.parts;
    this.weights = shaped.weights;
    this.right = right;
    this.n = step.size();
    this.values = new double[n];
    this.totals = Arrays.stream(parts).mapToDouble(row -> PlainRewards.total(row, weights)).toArray();
    this.population = settings.text("grpo.std").equals("population");
    this.bucket = bucketsOf();
    for (int i = 0; i < n; i++) {
      double advantage = advantage(i);
      values[i] = Double.isNaN(totals[i]) ? 0 : advantage;
    }
    if (settings.text("grpo.advantage").equals("normalize_then_sum")) {
      normaliseAgain();
    }
    if (settings.text("grpo.grouping").equals("length_bucket")) {
      boolean[] fallback = new boolean[n];
      for (int i = 0; i < n; i++) {
        fallback[i] = sizeOfBucket(i) < settings.whole("grpo.grouping.min_bucket");
      }
      PlainReport.buckets(metrics, bucket, fallback, this::scored);
    }
    metrics.put("frac_reward_zero_std", fractionZeroStd);
    weigh(metrics);
  }

  private boolean scored(int i) {
    return !Double.isNaN(totals[i]);
  }

  private double advantage(int i) {
    IntPredicate group = compared(i);
    double mean = mean(totals, group);
    double std = std(totals, group, population);
    double eps = settings.number("grpo.advantage_eps");
    double all = std(totals, j -> true, population);
    String kind = settings.text("grpo.advantage");
    if (kind.equals("batch")) {
      fractionZeroStd = all < 1e-8 ? 1 : 0;
    } else if (!Double.isNaN(mean) && std < 1e-8) {
      fractionZeroStd += 1.0 / n;
    }
    return switch (kind) {
      case "none" -> totals[i] - mean;
      case "rloo" -> members(group).length == 1 ? 0 : totals[i] - mean(totals, group.and(j -> j != i));
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
      sum += weights[f] * (column[i] - mean(column, group)) / (std(column, group, population) + eps);
    }
    return sum;
  }

  private void normaliseAgain() {
    double mean = mean(values, j -> true);
    double std = std(values, j -> true, population);
    fractionZeroStd = std < 1e-8 ? 1 : 0;
    for (int i = 0; i < n; i++) {
      values[i] = scored(i) ? (values[i] - mean) / (std + settings.number("grpo.advantage_eps")) : 0;
    }
  }

  private IntPredicate ofQuestion(int i) {
    return j -> step.get(j).group() == step.get(i).group();
  }

  /** Completions of the same question, and of the same length where there are enough of them. */
  private IntPredicate compared(int i) {
    boolean byLength = settings.text("grpo.grouping").equals("length_bucket");
    return byLength && sizeOfBucket(i) >= settings.whole("grpo.grouping.min_bucket")
        ? ofQuestion(i).and(j -> bucket[j] == bucket[i])
        : ofQuestion(i);
  }

  private int sizeOfBucket(int i) {
    return members(ofQuestion(i).and(j -> bucket[j] == bucket[i])).length;
  }

  private int[] bucketsOf() {
    int[] result = new int[n];
    boolean ofStep = settings.text("grpo.grouping.scope").equals("step");
    for (int i = 0; i < n; i++) {
      IntPredicate among = ofStep ? j -> true : ofQuestion(i);
      int[] members = members(among);
      int[] lengths = Arrays.stream(members).map(j -> step.get(j).tokens().length).toArray();
      int place = Arrays.binarySearch(members, i);
      result[i] = place < 0 ? 0 : buckets(lengths)[place];
    }
    return result;
  }

  /** 0 short, 1 medium, 2 long. */
  static int[] buckets(int[] lengths) {
    double mean = Arrays.stream(lengths).average().orElse(0);
    double variance = Arrays.stream(lengths).mapToDouble(length -> (length - mean) * (length - mean)).average().orElse(0);
    double width = Math.sqrt(variance) < 1e-6 ? 1 : Math.sqrt(variance);
    return Arrays.stream(lengths).map(length -> length < mean - width ? 0 : length > mean + width ? 2 : 1).toArray();
  }

  private void weigh(Map<String, Double> metrics) {
    String kind = settings.text("grpo.weighting");
    if (kind.equals("none")) {
      return;
    }
    int questions = step.stream().mapToInt(Sampled::group).max().orElse(-1) + 1;
    double[] accuracy = new double[questions];
    double[] measure = new double[questions];
    for (int q = 0; q < questions; q++) {
      int question = q;
      accuracy[q] = mean(right, j -> step.get(j).group() == question);
      measure[q] = settings.text("grpo.weighting.measure").equals("reward") ? mean(totals, j -> step.get(j).group() == question) : accuracy[q];
    }
    double overall = Arrays.stream(measure).average().orElse(0);
    double least = settings.number("grpo.weighting.min", kind.equals("logistic") ? 0.4 : 0.5);
    double most = settings.number("grpo.weighting.max", kind.equals("logistic") ? 1.5 : 2);
    double[] softmax = softmax(accuracy);
    double[] factors = new double[n];
    for (int i = 0; i < n; i++) {
      int q = step.get(i).group();
      double x = values[i] > 0 ? accuracy[q] : 1 - accuracy[q];
      factors[i] = switch (kind) {
        case "additive" -> Math.max(least, Math.min(most, 1 + overall - measure[q]));
        case "ratio" -> measure[q] < 1e-6 || overall < 1e-6 ? 1 : Math.max(least, Math.min(most, overall / (measure[q] + 1e-6)));
        case "logistic" -> least + (most - least)
            / (1 + Math.exp(settings.number("grpo.weighting.slope") * (x - settings.number("grpo.weighting.midpoint"))));
        case "focal" -> Math.pow(1 - accuracy[q], settings.number("grpo.weighting.gamma"));
        case "softmax" -> softmax[q];
        default -> throw new IllegalArgumentException(kind);
      };
    }
    double scale = settings.is("grpo.weighting.renormalize") ? n / Arrays.stream(factors).sum() : 1;
    for (int i = 0; i < n; i++) {
      factors[i] *= scale;
      values[i] *= factors[i];
    }
    metrics.put("difficulty/weight_mean", Arrays.stream(factors).average().getAsDouble());
    metrics.put("difficulty/weight_min", Arrays.stream(factors).min().getAsDouble());
    metrics.put("difficulty/weight_max", Arrays.stream(factors).max().getAsDouble());
  }

  private double[] softmax(double[] accuracy) {
    double[] weight = new double[accuracy.length];
    double sum = 0;
    int count = 0;
    for (int q = 0; q < weight.length; q++) {
      int question = q;
      if (std(totals, j -> step.get(j).group() == question, true) > 0) {
        weight[q] = Math.exp(-(accuracy[q] == 0 ? 1 : accuracy[q]) / settings.number("grpo.weighting.temperature"));
        sum += weight[q];
        count++;
      }
    }
    for (int q = 0; q < weight.length; q++) {
      weight[q] = weight[q] == 0 ? 1 : count * weight[q] / sum;
    }
    return weight;
  }

  private int[] members(IntPredicate group) {
    return IntStream.range(0, n).filter(j -> scored(j) && group.test(j)).toArray();
  }

  /** The mean of equal numbers is that number, whatever their sum is rounded to: an advantage of 1e-17 would be none. */
  private double mean(double[] of, IntPredicate group) {
    double[] those = Arrays.stream(members(group)).mapToDouble(j -> of[j]).toArray();
    boolean equal = Arrays.stream(those).distinct().count() == 1;
    return equal ? those[0] : Arrays.stream(those).sum() / those.length;
  }

  private double std(double[] of, IntPredicate group, boolean ofPopulation) {
    double mean = mean(of, group);
    double[] those = Arrays.stream(members(group)).mapToDouble(j -> (of[j] - mean) * (of[j] - mean)).toArray();
    double std = Math.sqrt(Arrays.stream(those).sum() / (ofPopulation ? those.length : those.length - 1));
    return std < 1e-12 || those.length < 2 ? 0 : std;
  }
}
