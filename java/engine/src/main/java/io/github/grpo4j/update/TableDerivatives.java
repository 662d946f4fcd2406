package io.github.grpo4j.update;

import io.github.grpo4j.grpo.loss.LossPipeline;
import io.github.grpo4j.grpo.loss.LossTerm;
import io.github.grpo4j.grpo.loss.TokenTable;
import io.github.grpo4j.model.LossHead;
import io.github.grpo4j.update.GradientPass.Sample;
import java.util.List;

/**
 * The joint between the head of the model, which sees the tokens of a micro-batch, and the columns of a step: scores go into the table,
 * the terms of the loss add their derivatives there, and those go back.
 */
final class TableDerivatives {
  private final LossPipeline loss;
  private final TokenTable table;
  private final int[] columns;
  private final boolean known;

  /**
   * @param columns of each sample, the table's first
   * @param known whether the derivatives of all tokens are in the table already
   */
  TableDerivatives(LossPipeline loss, TokenTable table, int[] columns, boolean known) {
    this.loss = loss;
    this.table = table;
    this.columns = columns;
    this.known = known;
  }

  /**
   * The part of a micro-batch.
   *
   * @param first number of its first sample
   */
  LossHead.Derivatives of(int first, List<Sample> samples) {
    return new LossHead.Derivatives() {
      @Override
      public boolean needsWholeBatch() {
        return !known && loss.scope() == LossTerm.Scope.SEQUENCE;
      }

      @Override
      public void fill(int from, int to, LossHead.Columns tokens) {
        int row = 0;
        for (int s = 0; s < samples.size(); s++) {
          int end = row + samples.get(s).targets();
          int begin = Math.max(from, row);
          int stop = Math.min(to, end);
          if (begin < stop) {
            exchange(tokens, begin, columns[first + s] + begin - row, stop - begin);
          }
          row = end;
        }
      }
    };
  }

  private void exchange(LossHead.Columns tokens, int row, int column, int count) {
    System.arraycopy(tokens.logprob(), row, table.newLogprob, column, count);
    System.arraycopy(tokens.entropy(), row, table.entropy, column, count);
    if (table.exactKl != null) {
      System.arraycopy(tokens.exactKl(), row, table.exactKl, column, count);
    }
    if (!known) {
      loss.derivatives(table, column, column + count);
    }
    System.arraycopy(table.dLogprob, column, tokens.dLogprob(), row, count);
    System.arraycopy(table.dEntropy, column, tokens.dEntropy(), row, count);
    if (table.exactKl != null) {
      System.arraycopy(table.dExactKl, column, tokens.dExactKl(), row, count);
    }
  }
}
