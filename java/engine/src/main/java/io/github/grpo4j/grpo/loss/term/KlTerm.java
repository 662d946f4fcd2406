package io.github.grpo4j.grpo.loss.term;

import io.github.grpo4j.grpo.loss.ImportanceLevel;
import io.github.grpo4j.grpo.loss.KlPenalty;
import io.github.grpo4j.grpo.loss.LossMetrics;
import io.github.grpo4j.grpo.loss.LossTerm;
import io.github.grpo4j.grpo.loss.Surrogate;
import io.github.grpo4j.grpo.loss.TokenTable;

/**
 * The pull towards the reference model: weight times {@code coef KL}, times the ratio if the penalty says so.
 *
 * @param level of the ratio, that of the policy's surrogate
 */
public record KlTerm(KlPenalty penalty, ImportanceLevel level) implements LossTerm {
  @Override
  public Scope scope() {
    return penalty.timesRatio() && level == ImportanceLevel.SEQUENCE ? Scope.SEQUENCE : Scope.TOKEN;
  }

  @Override
  public boolean needsReference() {
    return !penalty.isExact();
  }

  @Override
  public boolean needsExactKl() {
    return penalty.isExact();
  }

  @Override
  public void add(TokenTable table, int from, int to, LossMetrics metrics) {
    if (penalty.isExact()) {
      addExact(table, from, to, metrics);
      return;
    }
    SequenceRatio sequence = scope() == Scope.SEQUENCE ? SequenceRatio.of(table, from, to) : null;
    double sum = 0;
    double dRatio = 0;
    int tokens = 0;
    for (int t = from; t < to; t++) {
      double logRatio = table.logRatio(t);
      double ratio = !penalty.timesRatio() ? 1 : sequence != null ? sequence.ratio() : Math.exp(Surrogate.clampLogRatio(logRatio));
      double slope = penalty.timesRatio() && sequence == null && Math.abs(logRatio) <= Surrogate.LARGEST_LOG_RATIO ? ratio : 0;
      double plain = penalty.value(table.newLogprob[t], table.refLogprob[t]);
      table.tokenLoss[t] += penalty.coef() * (plain * ratio);
      if (table.weight[t] != 0) {
        double d = penalty.derivative(table.newLogprob[t], table.refLogprob[t]) * ratio + plain * slope;
        table.dLogprob[t] += (float) (table.weight[t] * (penalty.coef() * d));
        dRatio += table.weight[t] * (penalty.coef() * plain);
        sum += plain * ratio;
        tokens++;
      }
    }
    if (sequence != null) {
      sequence.addDerivative(table, from, to, dRatio);
    }
    metrics.mean("kl", sum, tokens);
  }

  private void addExact(TokenTable table, int from, int to, LossMetrics metrics) {
    double sum = 0;
    int tokens = 0;
    for (int t = from; t < to; t++) {
      table.tokenLoss[t] += penalty.coef() * table.exactKl[t];
      if (table.weight[t] != 0) {
        table.dExactKl[t] += (float) (table.weight[t] * penalty.coef());
        sum += table.exactKl[t];
        tokens++;
      }
    }
    metrics.mean("kl", sum, tokens);
  }
}
