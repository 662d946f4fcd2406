package io.github.grpo4j.grpo.loss;

/**
 * How the losses of single tokens become one number: {@code loss = sum_t weight[t] * loss[t]}. Weights are computed once per optimizer step
 * from sums over all its episodes, so the loss depends neither on micro-batches nor on the order of episodes, and the sums may come from
 * several processes.
 */
public interface Aggregation {
  /**
   * Weight of each loss token of a sequence.
   *
   * @param lossTokens number of loss tokens of that sequence, 1 or more
   * @param bucket its length bucket, 0 to 2
   * @param totals sums over the whole step
   */
  double weight(int lossTokens, int bucket, StepTotals totals);
}
