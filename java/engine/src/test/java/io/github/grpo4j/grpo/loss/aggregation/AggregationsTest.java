package io.github.grpo4j.grpo.loss.aggregation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.grpo4j.grpo.loss.Aggregation;
import io.github.grpo4j.grpo.loss.StepTotals;
import org.junit.jupiter.api.Test;

/**
 * Weights of tokens, worked by hand: sequences of 2, 3, 0 and 1 tokens, of which the last of the second and the only one of the fourth are
 * left out.
 */
class AggregationsTest {
  private static final int[] STARTS = {0, 2, 5, 5, 6};
  private static final boolean[] MASK = {true, true, true, false, true, false};

  private static float[] weights(Aggregation aggregation, int[] buckets) {
    return StepTotals.of(STARTS, MASK, buckets, 10).weights(aggregation, STARTS, MASK, buckets);
  }

  @Test
  void weightsAreSharesOfTheWholeStep() {
    assertArrayEquals(new float[] {.25f, .25f, .25f, 0, .25f, 0}, weights(new TokenMean(), null));
    assertArrayEquals(new float[] {.125f, .125f, .125f, 0, .125f, 0}, weights(new SequenceMean(), null));
    assertArrayEquals(new float[] {.25f, .25f, .25f, 0, .25f, 0}, weights(new SequenceSum(), null));
    assertArrayEquals(new float[] {.025f, .025f, .025f, 0, .025f, 0}, weights(new Constant(), null));
    assertArrayEquals(new float[] {.05f, .05f, .05f, 0, .05f, 0}, weights(new Constant(5), null));
  }

  /** Two tokens in the first bucket, two in the third: each of the two buckets has half of the loss. */
  @Test
  void everyPresentBucketHasTheSameShare() {
    assertArrayEquals(new float[] {.25f, .25f, .25f, 0, .25f, 0}, weights(new BucketMean(), new int[] {0, 2, 1, 1}));
    assertArrayEquals(new float[] {.25f, .25f, .25f, 0, .25f, 0}, weights(new BucketMean(), new int[] {1, 1, 1, 1}));
    int[] starts = {0, 1, 4};
    int[] buckets = {0, 1};
    assertArrayEquals(new float[] {.5f, 1f / 6, 1f / 6, 1f / 6},
        StepTotals.of(starts, null, buckets, 10).weights(new BucketMean(), starts, null, buckets));
  }

  @Test
  void totalsOfMicroBatchesAndProcessesAddUp() {
    int[] buckets = {0, 2, 1, 1};
    StepTotals whole = StepTotals.of(STARTS, MASK, buckets, 10);
    StepTotals twice = whole.plus(whole);
    assertEquals(2 * whole.sequences(), twice.sequences());
    assertEquals(8, twice.tokens());
    assertArrayEquals(new long[] {4, 0, 4}, twice.bucketTokens());
    assertEquals(2, twice.presentBuckets());
  }

  @Test
  void theConstantIsNotNegative() {
    IllegalArgumentException refused = assertThrows(IllegalArgumentException.class, () -> new Constant(-1));
    assertEquals("max_tokens is -1; it must be 0 or more", refused.getMessage());
    for (String name : Aggregations.REGISTRY.names()) {
      assertEquals(name, Aggregations.REGISTRY.nameOf(Aggregations.REGISTRY.find(name).orElseThrow()));
    }
  }
}
