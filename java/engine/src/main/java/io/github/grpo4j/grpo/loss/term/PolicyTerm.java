package io.github.grpo4j.grpo.loss.term;

import io.github.grpo4j.grpo.loss.ImportanceLevel;
import io.github.grpo4j.grpo.loss.LossMetrics;
import io.github.grpo4j.grpo.loss.LossTerm;
import io.github.grpo4j.grpo.loss.Surrogate;
import io.github.grpo4j.grpo.loss.TokenTable;

/**
 * The policy loss of a {@link Surrogate}, weight times its value, token by token or with one ratio
 * {@code s = exp(mean_t(new_t - old_t))} for all tokens of a sequence (GSPO, arXiv 2507.18071).
 *
 * <p>Metrics are TRL's clip ratios: shares of the tokens (at sequence level, of the sequences) whose gradient the clipping removes.
 */
public record PolicyTerm(Surrogate surrogate) implements LossTerm {
  @Override
  public Scope scope() {
    return surrogate.level() == ImportanceLevel.SEQUENCE ? Scope.SEQUENCE : Scope.TOKEN;
  }

  @Override
  public boolean ignoresAdvantage() {
    return false;
  }

  @Override
  public void add(TokenTable table, int from, int to, LossMetrics metrics) {
    if (surrogate.level() == ImportanceLevel.TOKEN) {
      addTokens(table, from, to, metrics);
    } else {
      addSequence(table, from, to, metrics);
    }
  }

  private void addTokens(TokenTable table, int from, int to, LossMetrics metrics) {
    int tokens = 0;
    int low = 0;
    int high = 0;
    for (int t = from; t < to; t++) {
      double logRatio = table.logRatio(t);
      double ratio = Math.exp(Surrogate.clampLogRatio(logRatio));
      double slope = Math.abs(logRatio) > Surrogate.LARGEST_LOG_RATIO ? 0 : ratio;
      double old = table.oldLogprob == null ? table.newLogprob[t] : table.oldLogprob[t];
      Surrogate.Value value = surrogate.of(ratio, table.advantage[t], old);
      table.tokenLoss[t] += value.loss();
      if (table.weight[t] != 0) {
        table.dLogprob[t] += (float) (table.weight[t] * (value.dRatio() * slope));
        if (metrics != LossMetrics.NONE) {
          surrogate.report(ratio, table.advantage[t], old, metrics);
        }
        tokens++;
        low += value.belowLow() ? 1 : 0;
        high += value.aboveHigh() ? 1 : 0;
      }
    }
    report(metrics, tokens, low, high);
  }

  /** The ratio is the same for all tokens of the sequence, and its derivative reaches all of them: d s / d new_t = s / L. */
  private void addSequence(TokenTable table, int from, int to, LossMetrics metrics) {
    SequenceRatio ratio = SequenceRatio.of(table, from, to);
    double dRatio = 0;
    int low = 0;
    int high = 0;
    for (int t = from; t < to; t++) {
      Surrogate.Value value = surrogate.of(ratio.ratio(), table.advantage[t], ratio.oldLogprob());
      table.tokenLoss[t] += value.loss();
      if (table.weight[t] != 0) {
        dRatio += table.weight[t] * value.dRatio();
        low += value.belowLow() ? 1 : 0;
        high += value.aboveHigh() ? 1 : 0;
      }
    }
    ratio.addDerivative(table, from, to, dRatio);
    if (metrics != LossMetrics.NONE && ratio.lossTokens() > 0) {
      surrogate.report(ratio.ratio(), table.advantage[from], ratio.oldLogprob(), metrics);
    }
    report(metrics, 1, Math.min(1, low), Math.min(1, high));
  }

  private static void report(LossMetrics metrics, int ratios, int low, int high) {
    if (ratios == 0) {
      return;
    }
    metrics.mean("clip_ratio/low_mean", low, ratios);
    metrics.mean("clip_ratio/high_mean", high, ratios);
    metrics.mean("clip_ratio/region_mean", low + high, ratios);
    metrics.min("clip_ratio/low_min", (double) low / ratios);
    metrics.max("clip_ratio/high_max", (double) high / ratios);
  }
}
