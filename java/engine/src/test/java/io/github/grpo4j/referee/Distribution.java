package io.github.grpo4j.referee;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;

/** The distribution of one token, {@code softmax(logits / T)}, and what is said of the token that was sampled from it. */
final class Distribution {
  private static final double ROUNDING = 1e-4;

  final double[] logP;
  final double logprob;
  final double entropy;
  private final int target;
  private final double temperature;

  Distribution(double[] logits, int target, double temperature) {
    this.target = target;
    this.temperature = temperature;
    this.logP = new double[logits.length];
    double max = Double.NEGATIVE_INFINITY;
    for (double logit : logits) {
      max = Math.max(max, logit / temperature);
    }
    double sum = 0;
    for (double logit : logits) {
      sum += Math.exp(logit / temperature - max);
    }
    double h = 0;
    for (int v = 0; v < logits.length; v++) {
      logP[v] = logits[v] / temperature - max - Math.log(sum);
      h -= Math.exp(logP[v]) * logP[v];
    }
    this.logprob = logP[target];
    this.entropy = h;
  }

  /** That the sampled token is one of the kept ones, each filter for itself. */
  void checkKept(int topK, double topP, double minP) {
    int likelier = 0;
    double mass = 0;
    for (double other : logP) {
      likelier += other > logprob + ROUNDING ? 1 : 0;
      mass += other > logprob + ROUNDING ? Math.exp(other) : 0;
    }
    assertTrue(topK == 0 || likelier < topK, "a token with " + likelier + " likelier ones was sampled");
    assertTrue(topP == 1 || mass < topP + ROUNDING, "a token below the mass " + mass + " was sampled");
    assertTrue(Math.exp(logprob - mostLikely()) > minP * (1 - ROUNDING), "a token " + Math.exp(logprob - mostLikely()) + " as likely as the best was sampled");
  }

  /** Log-prob of the likeliest token. */
  double mostLikely() {
    return Arrays.stream(logP).max().getAsDouble();
  }

  double kl(Distribution reference) {
    double sum = 0;
    for (int v = 0; v < logP.length; v++) {
      sum += Math.exp(logP[v]) * (logP[v] - reference.logP[v]);
    }
    return sum;
  }

  /** Gradient of a loss by the logits, from its derivatives by log-prob, entropy and KL. */
  double[] backward(double dLogprob, double dEntropy, double dKl, Distribution reference) {
    double[] d = new double[logP.length];
    double kl = dKl == 0 ? 0 : kl(reference);
    for (int v = 0; v < d.length; v++) {
      double p = Math.exp(logP[v]);
      d[v] = dLogprob * ((v == target ? 1 : 0) - p) - dEntropy * p * (logP[v] + entropy);
      if (dKl != 0) {
        d[v] += dKl * p * (logP[v] - reference.logP[v] - kl);
      }
      d[v] /= temperature;
    }
    return d;
  }
}
