package io.github.grpo4j.grpo.loss;

/**
 * What normalisers are made of: sums over all episodes of an optimizer step. They add up over micro-batches and over
 * processes, and are divided by once, at the end.
 *
 * @param sequences episodes, those without loss tokens included
 * @param tokens loss tokens of all episodes
 */
public record StepTotals(long sequences, long tokens) {
  public static StepTotals of(int[] cuSeqlens, boolean[] lossMask) {
    long tokens = 0;
    for (int b = 0; b + 1 < cuSeqlens.length; b++) {
      tokens += lossTokens(cuSeqlens, b, lossMask);
    }
    return new StepTotals(cuSeqlens.length - 1, tokens);
  }

  public StepTotals plus(StepTotals other) {
    return new StepTotals(sequences + other.sequences, tokens + other.tokens);
  }

  static int lossTokens(int[] cuSeqlens, int sequence, boolean[] lossMask) {
    int tokens = 0;
    for (int t = cuSeqlens[sequence]; t < cuSeqlens[sequence + 1]; t++) {
      tokens += lossMask == null || lossMask[t] ? 1 : 0;
    }
    return tokens;
  }
}
