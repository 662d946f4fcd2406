package io.github.grpo4j.grpo.loss.term;

import io.github.grpo4j.grpo.loss.Surrogate;
import io.github.grpo4j.grpo.loss.TokenTable;

/**
 * The ratio of a whole sequence, {@code s = exp(mean over loss tokens of (new - old))}.
 *
 * @param slope d ratio / d mean log-ratio: the ratio, or 0 where it is clamped
 * @param oldLogprob mean over the loss tokens
 */
record SequenceRatio(double ratio, double slope, double oldLogprob, int lossTokens) {
  static SequenceRatio of(TokenTable table, int from, int to) {
    int lossTokens = 0;
    double sum = 0;
    double old = 0;
    for (int t = from; t < to; t++) {
      if (table.weight[t] != 0) {
        lossTokens++;
        sum += table.logRatio(t);
        old += table.oldLogprob == null ? table.newLogprob[t] : table.oldLogprob[t];
      }
    }
    double logRatio = sum / Math.max(1, lossTokens);
    double ratio = Math.exp(Surrogate.clampLogRatio(logRatio));
    double slope = Math.abs(logRatio) > Surrogate.LARGEST_LOG_RATIO ? 0 : ratio;
    return new SequenceRatio(ratio, slope, old / Math.max(1, lossTokens), lossTokens);
  }

  /** Spreads d loss / d ratio over the log-probs of the sequence. */
  void addDerivative(TokenTable table, int from, int to, double dRatio) {
    for (int t = from; t < to; t++) {
      table.dLogprob[t] += table.weight[t] == 0 ? 0 : (float) (dRatio * slope / lossTokens);
    }
  }
}
