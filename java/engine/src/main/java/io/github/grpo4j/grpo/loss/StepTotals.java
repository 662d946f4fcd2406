package io.github.grpo4j.grpo.loss;

import io.github.grpo4j.grpo.credit.grouping.LengthBuckets;
import java.util.Arrays;

/**
 * What normalisers are made of: sums over all sequences of an optimizer step that are in the loss, so masked ones are not here. They add
 * up over micro-batches and over processes, and are divided by once, at the end.
 *
 * @param sequences in the loss, those without loss tokens included
 * @param tokens loss tokens of all sequences
 * @param bucketTokens loss tokens by length bucket {@code [3]}
 * @param maxTokens length limit of a completion
 */
public record StepTotals(long sequences, long tokens, long[] bucketTokens, int maxTokens) {
  /**
   * Sums over packed sequences.
   *
   * @param starts {@code [N + 1]} offsets of the sequences
   * @param lossMask {@code [T]} tokens that are trained on; null: all
   * @param buckets {@code [N]} length buckets; null: all in one
   */
  public static StepTotals of(int[] starts, boolean[] lossMask, int[] buckets, int maxTokens) {
    long sequences = 0;
    long tokens = 0;
    long[] bucketTokens = new long[LengthBuckets.COUNT];
    for (int b = 0; b + 1 < starts.length; b++) {
      int lossTokens = lossTokens(starts, b, lossMask);
      sequences++;
      tokens += lossTokens;
      bucketTokens[buckets == null ? 0 : buckets[b]] += lossTokens;
    }
    return new StepTotals(sequences, tokens, bucketTokens, maxTokens);
  }

  /** The weight of every token {@code [T]}, 0 where it is not in the loss; arguments as in {@link #of}. */
  public float[] weights(Aggregation aggregation, int[] starts, boolean[] lossMask, int[] buckets) {
    float[] weights = new float[starts[starts.length - 1]];
    for (int b = 0; b + 1 < starts.length; b++) {
      int lossTokens = lossTokens(starts, b, lossMask);
      float weight = lossTokens == 0 ? 0 : (float) aggregation.weight(lossTokens, buckets == null ? 0 : buckets[b], this);
      for (int t = starts[b]; t < starts[b + 1]; t++) {
        weights[t] = lossMask == null || lossMask[t] ? weight : 0;
      }
    }
    return weights;
  }

  public StepTotals plus(StepTotals other) {
    long[] buckets = bucketTokens.clone();
    Arrays.setAll(buckets, k -> bucketTokens[k] + other.bucketTokens[k]);
    return new StepTotals(sequences + other.sequences, tokens + other.tokens, buckets, maxTokens);
  }

  /** Buckets with any loss token. */
  public int presentBuckets() {
    return (int) Arrays.stream(bucketTokens).filter(count -> count > 0).count();
  }

  private static int lossTokens(int[] starts, int sequence, boolean[] lossMask) {
    int tokens = 0;
    for (int t = starts[sequence]; t < starts[sequence + 1]; t++) {
      tokens += lossMask == null || lossMask[t] ? 1 : 0;
    }
    return tokens;
  }
}
