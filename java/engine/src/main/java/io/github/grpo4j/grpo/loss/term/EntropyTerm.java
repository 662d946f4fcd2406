package io.github.grpo4j.grpo.loss.term;

import io.github.grpo4j.grpo.loss.LossMetrics;
import io.github.grpo4j.grpo.loss.LossTerm;
import io.github.grpo4j.grpo.loss.TokenTable;
import io.github.grpo4j.options.Check;

/** A bonus for entropy, weight times {@code -coef H}: keeps the policy from settling too early. */
public record EntropyTerm(double coef) implements LossTerm {
  public EntropyTerm {
    Check.finite("coef", coef);
  }

  @Override
  public Scope scope() {
    return Scope.TOKEN;
  }

  @Override
  public void add(TokenTable table, int from, int to, LossMetrics metrics) {
    double bonus = 0;
    for (int t = from; t < to; t++) {
      table.tokenLoss[t] -= coef * table.entropy[t];
      table.dEntropy[t] += (float) (-table.weight[t] * coef);
      bonus += table.weight[t] == 0 ? 0 : table.weight[t] * coef * table.entropy[t];
    }
    // Becomes the loss without the bonus when the loss is added.
    metrics.sum("policy_loss", bonus);
  }
}
