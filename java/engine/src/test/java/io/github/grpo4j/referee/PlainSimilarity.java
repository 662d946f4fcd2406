package io.github.grpo4j.referee;

import java.util.ArrayList;
import java.util.List;

/** Rewards that similar completions of a question share, from hidden states after some blocks. */
final class PlainSimilarity {
  private final Settings settings;

  PlainSimilarity(Settings settings) {
    this.settings = settings;
  }

  boolean isUsed() {
    return !settings.text("similarity").equals("none");
  }

  /** The pooled hidden state of a completion. */
  double[] feature(PlainModel model, Sampled sampled) {
    boolean alone = settings.text("similarity.context").equals("response");
    int depth = settings.whole("similarity.depth");
    PlainModel.Trace trace = model.forward(alone ? sampled.tokens() : sampled.ids());
    int first = alone ? 0 : sampled.prompt().length;
    double[] pooled = new double[PlainModel.HIDDEN];
    int from = settings.text("similarity.pool").equals("last") ? trace.tokens - 1 : first;
    for (int t = from; t < trace.tokens; t++) {
      for (int h = 0; h < pooled.length; h++) {
        pooled[h] += trace.after(depth)[t * PlainModel.HIDDEN + h] / (trace.tokens - from);
      }
    }
    return pooled;
  }

  /** New values of all parts; those of a completion without reward, or without others, stay. */
  double[][] shape(List<Sampled> step, double[][] parts, boolean[] left, double[][] features) {
    double[][] shaped = new double[parts.length][];
    for (int i = 0; i < parts.length; i++) {
      shaped[i] = parts[i].clone();
      List<Integer> others = new ArrayList<>();
      for (int j = 0; j < parts.length; j++) {
        if (j != i && step.get(j).group() == step.get(i).group() && !left[j]) {
          others.add(j);
        }
      }
      if (!others.isEmpty() && !left[i]) {
        double[] weights = weights(i, others, features);
        for (int f = 0; f < parts[i].length; f++) {
          shaped[i][f] = mixed(parts, i, f, others, weights);
        }
      }
    }
    return shaped;
  }

  private double mixed(double[][] parts, int i, int part, List<Integer> others, double[] weights) {
    double own = parts[i][part];
    double sum = 0;
    boolean differ = false;
    for (int k = 0; k < weights.length; k++) {
      sum += weights[k] * parts[others.get(k)][part];
      differ |= parts[others.get(k)][part] != own;
    }
    double alpha = settings.number("similarity.alpha");
    return !differ ? own : settings.text("similarity").equals("smooth") ? (1 - alpha) * own + alpha * sum : own - sum;
  }

  private double[] weights(int i, List<Integer> others, double[][] features) {
    double[] mean = new double[PlainModel.HIDDEN];
    if (settings.is("similarity.center")) {
      List<Integer> all = new ArrayList<>(others);
      all.add(i);
      for (int j : all) {
        for (int h = 0; h < mean.length; h++) {
          mean[h] += features[j][h] / all.size();
        }
      }
    }
    double[] weights = new double[others.size()];
    double sum = 0;
    for (int k = 0; k < weights.length; k++) {
      weights[k] = Math.exp(cosine(features[i], features[others.get(k)], mean) / settings.number("similarity.tau"));
      sum += weights[k];
    }
    for (int k = 0; k < weights.length; k++) {
      weights[k] /= sum;
    }
    return weights;
  }

  private static double cosine(double[] a, double[] b, double[] mean) {
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (int h = 0; h < mean.length; h++) {
      ab += (a[h] - mean[h]) * (b[h] - mean[h]);
      aa += (a[h] - mean[h]) * (a[h] - mean[h]);
      bb += (b[h] - mean[h]) * (b[h] - mean[h]);
    }
    return ab / Math.sqrt(aa * bb);
  }
}
