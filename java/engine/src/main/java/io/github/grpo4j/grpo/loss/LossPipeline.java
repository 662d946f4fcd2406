package io.github.grpo4j.grpo.loss;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * From advantages to the derivative of every token: {@code loss = sum_t weight_t * sum of the terms of token t}.
 *
 * @param terms in the order in which they add
 * @param aggregation where the weights come from
 */
public record LossPipeline(List<LossTerm> terms, Aggregation aggregation) {
  public LossPipeline {
    terms = List.copyOf(terms);
  }

  /** The widest scope of the terms. */
  public LossTerm.Scope scope() {
    return terms.stream().map(LossTerm::scope).max(Comparator.naturalOrder()).orElse(LossTerm.Scope.TOKEN);
  }

  public boolean needsReference() {
    return terms.stream().anyMatch(LossTerm::needsReference);
  }

  public boolean needsExactKl() {
    return terms.stream().anyMatch(LossTerm::needsExactKl);
  }

  /** True if an episode of advantage 0 can have a gradient. */
  public boolean ignoresAdvantage() {
    return terms.stream().anyMatch(LossTerm::ignoresAdvantage);
  }

  /**
   * Derivatives of the tokens {@code [from, to)}, whose columns of the model are filled in: whole sequences, or with scope TOKEN any
   * tokens. What was added for them before is forgotten.
   */
  public void derivatives(TokenTable table, int from, int to) {
    int sequence = table.sequenceOf(from);
    for (int begin = from; begin < to; sequence++) {
      int end = Math.min(to, table.starts[sequence + 1]);
      add(table, begin, end, LossMetrics.NONE);
      begin = end;
    }
  }

  private void add(TokenTable table, int from, int to, LossMetrics metrics) {
    table.leaveOutBroken(from, to);
    table.clear(from, to);
    terms.forEach(term -> term.add(table, from, to, metrics));
  }

  /** Loss, derivatives and metrics of a whole table, whose columns of the model are filled in. */
  public LossMetrics evaluate(TokenTable table) {
    int[] order = new int[table.sequences()];
    Arrays.setAll(order, b -> b);
    return evaluate(table, order);
  }

  /** @param order in which the sequences are summed: the last bits of sums depend on it */
  public LossMetrics evaluate(TokenTable table, int[] order) {
    LossMetrics metrics = new LossMetrics();
    double total = 0;
    for (int b : order) {
      int from = table.starts[b];
      int to = table.starts[b + 1];
      add(table, from, to, metrics);
      double loss = 0;
      double entropy = 0;
      int tokens = 0;
      for (int t = from; t < to; t++) {
        if (table.weight[t] != 0) {
          loss += table.weight[t] * table.tokenLoss[t];
          entropy += table.entropy[t];
          tokens++;
        }
      }
      total += loss;
      metrics.mean("entropy", entropy, tokens);
    }
    metrics.sum("loss", total);
    metrics.addIfPresent("policy_loss", total);
    if (table.dropped() > 0) {
      metrics.count("tokens_dropped", table.dropped());
    }
    return metrics;
  }
}
