package io.github.grpo4j.referee;

import java.util.Map;

/** AdamW with global-norm clipping, learning-rate schedules included. Only matrices decay. */
final class PlainAdamW {
  private final Settings settings;
  private final PlainModel model;
  private final Map<String, double[]> m;
  private final Map<String, double[]> v;
  private int steps;

  PlainAdamW(Settings settings, PlainModel model) {
    this.settings = settings;
    this.model = model;
    this.m = model.zeros();
    this.v = model.zeros();
  }

  /** @return the norm of the gradient before clipping */
  double step(Map<String, double[]> gradient, double rate) {
    double squares = 0;
    for (double[] values : gradient.values()) {
      for (double value : values) {
        squares += value * value;
      }
    }
    double norm = Math.sqrt(squares);
    double most = settings.number("optimizer.max_grad_norm");
    double scale = most > 0 ? Math.min(1, most / (norm + 1e-6)) : 1;
    double beta1 = settings.element("optimizer.betas", 0);
    double beta2 = settings.element("optimizer.betas", 1);
    steps++;
    model.weights.forEach((name, weights) -> {
      boolean matrix = !name.endsWith("bias") && !name.endsWith("norm.weight");
      double decay = matrix ? settings.number("optimizer.weight_decay") : 0;
      double[] g = gradient.get(name);
      for (int i = 0; i < weights.length; i++) {
        double scaled = g[i] * scale;
        m.get(name)[i] = beta1 * m.get(name)[i] + (1 - beta1) * scaled;
        v.get(name)[i] = beta2 * v.get(name)[i] + (1 - beta2) * scaled * scaled;
        double mean = m.get(name)[i] / (1 - Math.pow(beta1, steps));
        double root = Math.sqrt(v.get(name)[i] / (1 - Math.pow(beta2, steps)));
        weights[i] -= rate * (decay * weights[i] + mean / (root + settings.number("optimizer.eps")));
      }
    });
    return norm;
  }

  /** The rate of an optimizer step, counted from 0, of {@code total}. */
  static double rate(Settings settings, int step, int total) {
    double peak = settings.number("optimizer.learning_rate");
    int warmup = settings.whole("optimizer.warmup_steps");
    if (step < warmup) {
      return peak * step / warmup;
    }
    double done = Math.min(1, (double) (step - warmup) / Math.max(1, total - warmup));
    double least = settings.number("optimizer.min_lr_ratio");
    return peak * switch (settings.text("optimizer.schedule")) {
      case "linear" -> 1 - done * (1 - least);
      case "cosine" -> least + (1 - least) * (1 + Math.cos(Math.PI * done)) / 2;
      default -> 1;
    };
  }
}
