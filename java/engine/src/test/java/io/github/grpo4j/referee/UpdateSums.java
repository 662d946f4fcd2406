package io.github.grpo4j.referee;

import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/** What the metrics of one optimizer step are made of. */
final class UpdateSums {
  double gradNorm;
  private double loss;
  private double bonus;
  private double kl;
  private double entropy;
  private int tokens;
  private double low;
  private double high;
  private double ratios;
  private double outsideLow;
  private double outsideHigh;
  private double leastLow = Double.POSITIVE_INFINITY;
  private double mostHigh;

  void add(PlainLoss one, double[] entropies, double weight) {
    for (int t = 0; t < entropies.length; t++) {
      loss += weight * one.loss[t];
      kl += one.klValue[t];
      entropy += entropies[t];
      tokens++;
    }
    bonus += weight * one.entropyBonus;
    low += one.low;
    high += one.high;
    ratios += one.ratios;
    outsideLow += one.outsideLow;
    outsideHigh += one.outsideHigh;
    leastLow = Math.min(leastLow, (double) one.low / one.ratios);
    mostHigh = Math.max(mostHigh, (double) one.high / one.ratios);
  }

  /** The row of a rollout: means over its updates, extremes over all. */
  static void put(Map<String, Double> metrics, List<UpdateSums> updates, boolean withKl, boolean withBonus, boolean withOutside) {
    if (updates.isEmpty()) {
      return;
    }
    mean(metrics, "loss", updates, u -> u.loss);
    mean(metrics, "entropy", updates, u -> u.entropy / u.tokens);
    mean(metrics, "clip_ratio/low_mean", updates, u -> u.low / u.ratios);
    mean(metrics, "clip_ratio/high_mean", updates, u -> u.high / u.ratios);
    mean(metrics, "clip_ratio/region_mean", updates, u -> (u.low + u.high) / u.ratios);
    metrics.put("clip_ratio/low_min", updates.stream().mapToDouble(u -> u.leastLow).min().getAsDouble());
    metrics.put("clip_ratio/high_max", updates.stream().mapToDouble(u -> u.mostHigh).max().getAsDouble());
    mean(metrics, "grad_norm", updates, u -> u.gradNorm);
    if (withOutside) {
      mean(metrics, "clip_ratio/outside_low_mean", updates, u -> u.outsideLow / u.ratios);
      mean(metrics, "clip_ratio/outside_high_mean", updates, u -> u.outsideHigh / u.ratios);
    }
    if (withKl) {
      mean(metrics, "kl", updates, u -> u.kl / u.tokens);
    }
    if (withBonus) {
      mean(metrics, "policy_loss", updates, u -> u.loss + u.bonus);
    }
  }

  private static void mean(Map<String, Double> metrics, String name, List<UpdateSums> updates, ToDoubleFunction<UpdateSums> of) {
    metrics.put(name, updates.stream().mapToDouble(of).average().orElse(0));
  }
}
