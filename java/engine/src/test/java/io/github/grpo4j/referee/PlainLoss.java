package io.github.grpo4j.referee;

/** The loss of the tokens of one completion and its derivatives, before the weight of the tokens. */
final class PlainLoss {
  final double[] loss;
  final double[] dLogprob;
  final double[] dEntropy;
  final double[] dKl;
  final double[] klValue;
  double entropyBonus;
  int low;
  int high;
  int ratios;
  int outsideLow;
  int outsideHigh;
  private final Settings settings;
  private final double advantage;

  /**
   * @param now log-probs under the present weights
   * @param ref under the reference model; null where there is none
   * @param exactKl null where it is not asked for
   */
  PlainLoss(Settings settings, double advantage, double[] now, double[] old, double[] entropy, double[] ref, double[] exactKl) {
    this.settings = settings;
    this.advantage = advantage;
    int n = now.length;
    loss = new double[n];
    dLogprob = new double[n];
    dEntropy = new double[n];
    dKl = new double[n];
    klValue = new double[n];
    boolean sequence = settings.text("grpo.importance_level").equals("sequence");
    double mean = 0;
    double meanOld = 0;
    for (int t = 0; t < n; t++) {
      mean += (now[t] - old[t]) / n;
      meanOld += old[t] / n;
    }
    ratios = sequence ? 1 : n;
    double[] ratio = new double[n];
    for (int t = 0; t < n; t++) {
      ratio[t] = Math.exp(sequence ? mean : now[t] - old[t]);
      double slope = policy(t, ratio[t], sequence ? meanOld : old[t]);
      if (sequence) {
        for (int s = 0; s < n; s++) {
          dLogprob[s] += slope * ratio[t] / n;
        }
      } else {
        dLogprob[t] += slope * ratio[t];
      }
    }
    if (sequence) {
      low = Math.min(1, low);
      high = Math.min(1, high);
    }
    if (exactKl != null) {
      for (int t = 0; t < n; t++) {
        klValue[t] = exactKl[t];
        loss[t] += settings.number("grpo.kl_coef") * exactKl[t];
        dKl[t] = settings.number("grpo.kl_coef");
      }
    } else if (ref != null) {
      kl(now, ref, ratio, sequence);
    }
    double coef = settings.number("grpo.entropy_coef");
    for (int t = 0; t < n; t++) {
      loss[t] -= coef * entropy[t];
      dEntropy[t] = -coef;
      entropyBonus += coef * entropy[t];
    }
  }

  /** Adds the policy loss of a token; returns its derivative by the ratio. */
  private double policy(int t, double ratio, double old) {
    double lowest = 0;
    double highest = Double.POSITIVE_INFINITY;
    double dual = settings.number("grpo.dual_clip");
    switch (settings.text("grpo.clipping")) {
      case "ppo":
        lowest = 1 - settings.number("grpo.clip_low");
        highest = 1 + settings.number("grpo.clip_high");
        break;
      case "dynamic":
        double q = Math.exp(old) + 1e-10;
        double inside = 1 - 4 * settings.number("grpo.clip_low") / q;
        lowest = inside <= 0 ? settings.number("grpo.surrogate.low_floor") : 0.5 + Math.sqrt(inside) / 2;
        highest = Math.min(settings.number("grpo.surrogate.cap"), 0.5 + Math.sqrt(1 + 4 * settings.number("grpo.clip_high") / q) / 2);
        break;
      default:
        break;
    }
    double cap = settings.number("grpo.ratio_cap") == 0 ? Double.POSITIVE_INFINITY : settings.number("grpo.ratio_cap");
    double plain = Math.min(ratio, cap) * advantage;
    double clipped = Math.max(lowest, Math.min(highest, ratio)) * advantage;
    double value = -Math.min(plain, clipped);
    double slope = plain <= clipped && ratio <= cap ? -advantage : 0;
    if (advantage < 0 && dual > 0 && value > -dual * advantage) {
      value = -dual * advantage;
      slope = 0;
    }
    outsideLow += ratio < lowest ? 1 : 0;
    outsideHigh += ratio > highest ? 1 : 0;
    low += advantage < 0 && Math.min(ratio, cap) < lowest ? 1 : 0;
    high += advantage > 0 && Math.min(ratio, cap) > highest ? 1 : 0;
    loss[t] += value;
    return slope;
  }

  private void kl(double[] now, double[] ref, double[] ratio, boolean sequence) {
    double coef = settings.number("grpo.kl_coef");
    boolean times = settings.is("grpo.kl_times_ratio");
    int n = now.length;
    for (int t = 0; t < n; t++) {
      double d = ref[t] - now[t];
      double[] valueAndSlope = switch (settings.text("grpo.kl")) {
        case "k1" -> new double[] {-d, 1};
        case "k2" -> new double[] {d * d / 2, -d};
        default -> new double[] {Math.exp(d) - d - 1, 1 - Math.exp(d)};
      };
      double r = times ? ratio[t] : 1;
      klValue[t] = valueAndSlope[0] * r;
      loss[t] += coef * klValue[t];
      dLogprob[t] += coef * valueAndSlope[1] * r;
      if (times && sequence) {
        for (int s = 0; s < n; s++) {
          dLogprob[s] += coef * valueAndSlope[0] * r / n;
        }
      } else if (times) {
        dLogprob[t] += coef * valueAndSlope[0] * r;
      }
    }
  }
}
