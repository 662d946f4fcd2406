package io.github.grpo4j.referee;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** The parts of a reward as they are compared: truncated completions treated, similar ones mixed, KL taken off. NaN is no reward. */
final class PlainShaping {
  /** One row per completion. */
  double[][] parts;
  double[] weights;
  final boolean[] masked;
  private final Settings settings;
  private final List<Sampled> step;
  private final Map<String, Double> metrics;

  /**
   * @param features pooled hidden state of each completion; null where nothing is mixed
   * @param klSums sum of log-prob minus reference log-prob of each completion; null where the reward has no such part
   */
  PlainShaping(Settings settings, List<Sampled> step, double[][] parts, double[] weights, double[][] features, double[] klSums,
      Map<String, Double> metrics) {
    this.settings = settings;
    this.step = step;
    this.parts = Arrays.stream(parts).map(double[]::clone).toArray(double[][]::new);
    this.weights = weights;
    this.masked = new boolean[step.size()];
    this.metrics = metrics;
    overlong();
    if (features != null) {
      mix(features);
    }
    if (klSums != null) {
      PlainReport.moments(metrics, "rewards/kl/mean", "rewards/kl/std", klSums);
      append(-settings.number("grpo.kl_coef"), klSums);
    }
  }

  private void overlong() {
    String kind = settings.text("grpo.overlong");
    int most = settings.whole("rollout.max_new_tokens");
    if (kind.equals("drop") || kind.equals("mask")) {
      for (int i = 0; i < masked.length; i++) {
        masked[i] = !step.get(i).finished();
        if (masked[i] && kind.equals("drop")) {
          Arrays.fill(parts[i], Double.NaN);
        }
      }
      long truncated = step.stream().filter(sampled -> !sampled.finished()).count();
      metrics.put(kind.equals("drop") ? "overlong/dropped" : "overlong/masked", (double) truncated / step.size());
    } else if (kind.equals("soft_penalty")) {
      int wanted = settings.whole("grpo.overlong.buffer");
      double buffer = wanted == 0 ? Math.max(1, most / 5) : wanted;
      double[] penalty = step.stream().mapToDouble(sampled -> Math.min(0, -(sampled.tokens().length - (most - buffer)) / buffer)).toArray();
      metrics.put("rewards/overlong/mean", Arrays.stream(penalty).average().getAsDouble());
      append(settings.number("grpo.overlong.factor"), penalty);
    }
  }

  private void append(double weight, double[] column) {
    for (int i = 0; i < parts.length; i++) {
      parts[i] = Arrays.copyOf(parts[i], weights.length + 1);
      parts[i][weights.length] = column[i];
    }
    weights = Arrays.copyOf(weights, weights.length + 1);
    weights[weights.length - 1] = weight;
  }

  /** {@code (1 - alpha) R + alpha W R} over the completions of a question. */
  private void mix(double[][] features) {
    double alpha = settings.shaping("alpha", 0.2);
    double[][] before = Arrays.stream(parts).map(double[]::clone).toArray(double[][]::new);
    for (int i = 0; i < parts.length; i++) {
      int question = step.get(i).group();
      int[] members = IntStream.range(0, parts.length).filter(j -> step.get(j).group() == question).toArray();
      double[] likeness = likeness(features, members, i);
      for (int f = 0; f < weights.length; f++) {
        int part = f;
        if (Arrays.stream(members).mapToDouble(j -> before[j][part]).distinct().count() > 1) {
          double others = 0;
          for (int k = 0; k < members.length; k++) {
            others += likeness[k] * before[members[k]][f];
          }
          parts[i][f] = (1 - alpha) * before[i][f] + alpha * others;
        }
      }
    }
    metrics.put("similarity/reward_shift_mean", IntStream.range(0, parts.length)
        .mapToDouble(i -> Math.abs(PlainRewards.total(parts[i], weights) - PlainRewards.total(before[i], weights))).average().getAsDouble());
  }

  /** Softmax of the cosines with the other members; 0 for itself. */
  private double[] likeness(double[][] features, int[] members, int self) {
    double[] own = centred(features, members, self);
    double[] weight = new double[members.length];
    double sum = 0;
    for (int k = 0; k < members.length; k++) {
      double[] other = centred(features, members, members[k]);
      double cosine = dot(own, other) / Math.sqrt(dot(own, own) * dot(other, other));
      weight[k] = members[k] == self ? 0 : Math.exp(cosine / settings.shaping("tau", 0.1));
      sum += weight[k];
    }
    for (int k = 0; k < weight.length; k++) {
      weight[k] /= sum;
    }
    return weight;
  }

  private double[] centred(double[][] features, int[] members, int of) {
    double[] result = features[of].clone();
    if (settings.shaping("center", 1) == 1) {
      for (int h = 0; h < result.length; h++) {
        int column = h;
        result[h] -= Arrays.stream(members).mapToDouble(j -> features[j][column]).average().getAsDouble();
      }
    }
    return result;
  }

  private static double dot(double[] a, double[] b) {
    return IntStream.range(0, a.length).mapToDouble(h -> a[h] * b[h]).sum();
  }
}
