package io.github.grpo4j.data;

import java.util.Arrays;

/**
 * Which problems a training step works on, as a function of the step number: nothing is kept between steps, so the cursor of a
 * resumed run is its step.
 *
 * <p>Each epoch goes through all positions once, in batches of {@code batchSize}; the last batch of an epoch may be smaller.
 * Epoch e is shuffled by {@link SplitMix64#shuffle} on the stream keyed by (seed, e). Without shuffling the order is that of the data
 * set.
 *
 * @param size problems in the data set
 * @param batchSize problems a step
 */
public record BatchOrder(int size, int batchSize, long seed, boolean shuffle) {
  private static final long ORDER = 3;

  public BatchOrder {
    if (size < 1 || batchSize < 1) {
      throw new IllegalArgumentException("size " + size + " and batch size " + batchSize + " must be at least 1");
    }
  }

  public int stepsPerEpoch() {
    return (size - 1) / batchSize + 1;
  }

  /** The epoch, from 0, that a step (from 0) belongs to. */
  public long epoch(long step) {
    return Math.floorDiv(requireStep(step), stepsPerEpoch());
  }

  /** Positions of the problems of a step (from 0), at most {@code batchSize} of them. */
  public int[] batch(long step) {
    int[] order = order(epoch(step));
    int begin = (int) (step % stepsPerEpoch()) * batchSize;
    return Arrays.copyOfRange(order, begin, (int) Math.min((long) begin + batchSize, size));
  }

  /** All positions in the order of an epoch (from 0). Takes time in proportion to {@code size}. */
  public int[] order(long epoch) {
    int[] order = new int[size];
    Arrays.setAll(order, i -> i);
    if (shuffle) {
      SplitMix64.keyed(ORDER, seed, epoch).shuffle(order, 0, size);
    }
    return order;
  }

  private static long requireStep(long step) {
    if (step < 0) {
      throw new IllegalArgumentException("step " + step + " is negative");
    }
    return step;
  }
}
