package io.github.grpo4j.grpo.loss;

/**
 * How the losses of single tokens become one number: {@code loss = sum_t weight[t] * loss[t]}. The weights are computed once
 * per optimizer step from the lengths of all its episodes, so the loss does not depend on how the step is cut into
 * micro-batches, nor on the order of episodes.
 */
public sealed interface Aggregation {
  /**
   * Weight of each loss token of an episode.
   *
   * @param lossTokens number of loss tokens of that episode, 1 or more
   * @param totals counts over the whole step
   */
  double weight(int lossTokens, StepTotals totals);

  /** {@code 1 / tokens of the step}: DAPO (arXiv 2503.14476), GRPO-Zero. Every token counts alike. */
  record TokenMean() implements Aggregation {
    @Override
    public double weight(int lossTokens, StepTotals totals) {
      return 1.0 / totals.tokens();
    }
  }

  /** {@code 1 / (episodes * tokens of the episode)}: GRPO as published. Tokens of long answers count less. */
  record SequenceMean() implements Aggregation {
    @Override
    public double weight(int lossTokens, StepTotals totals) {
      return 1.0 / ((double) totals.sequences() * lossTokens);
    }
  }

  /** {@code 1 / episodes}: the mean over episodes of the sum over tokens. With sequence-level ratios this is LUSPO (arXiv 2602.05261). */
  record SequenceSum() implements Aggregation {
    @Override
    public double weight(int lossTokens, StepTotals totals) {
      return 1.0 / totals.sequences();
    }
  }

  /** {@code 1 / (episodes * maxTokens)}: Dr. GRPO (arXiv 2503.20783). A constant, so that length has no influence at all. */
  record Constant(int maxTokens) implements Aggregation {
    public Constant {
      if (maxTokens < 1) {
        throw new IllegalArgumentException("the constant of the aggregation is " + maxTokens + " tokens; it must be 1 or more");
      }
    }

    @Override
    public double weight(int lossTokens, StepTotals totals) {
      return 1.0 / ((double) totals.sequences() * maxTokens);
    }
  }

  /**
   * The weight of every token of packed sequences; 0 where the mask is false.
   *
   * @param cuSeqlens {@code [B + 1]} offsets of the sequences
   * @param lossMask {@code [T]} tokens that are trained on; null: all
   */
  default float[] weights(int[] cuSeqlens, boolean[] lossMask, StepTotals totals) {
    float[] weights = new float[cuSeqlens[cuSeqlens.length - 1]];
    for (int b = 0; b + 1 < cuSeqlens.length; b++) {
      int lossTokens = StepTotals.lossTokens(cuSeqlens, b, lossMask);
      float weight = lossTokens == 0 ? 0 : (float) weight(lossTokens, totals);
      for (int t = cuSeqlens[b]; t < cuSeqlens[b + 1]; t++) {
        weights[t] = lossMask == null || lossMask[t] ? weight : 0;
      }
    }
    return weights;
  }
}
