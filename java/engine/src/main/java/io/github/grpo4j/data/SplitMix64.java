package io.github.grpo4j.data;

import java.util.List;

/**
 * A stream of pseudo-random numbers whose values are fixed by this file alone, so that shuffles and generated problems never
 * change with the JDK.
 *
 * <p>SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): output i is
 * {@code mix(seed + (i+1)·γ)} with γ = 0x9E3779B97F4A7C15 and
 *
 * <pre>
 *   z = (z ^ z>>>30) · 0xBF58476D1CE4E5B9
 *   z = (z ^ z>>>27) · 0x94D049BB133111EB
 *   mix(z) = z ^ z>>>31
 * </pre>
 *
 * It is a function of (seed, counter); {@link #keyed} derives a seed from several keys, one for each purpose, epoch or item.
 */
public final class SplitMix64 {
  private static final long GAMMA = 0x9E3779B97F4A7C15L;

  private long state;

  SplitMix64(long seed) {
    this.state = seed;
  }

  /** The stream for a list of keys: {@code s = mix(s + γ ^ key)} for each key in turn, beginning with s = 0. */
  public static SplitMix64 keyed(long... keys) {
    long seed = 0;
    for (long key : keys) {
      seed = mix((seed + GAMMA) ^ key);
    }
    return new SplitMix64(seed);
  }

  public long nextLong() {
    state += GAMMA;
    return mix(state);
  }

  /**
   * A number in [0, bound): the high 32 bits of the next value times bound, divided by 2³² and rounded down. A value's
   * probability is off by less than 2⁻³², which no use here can see.
   */
  public int nextInt(int bound) {
    if (bound <= 0) {
      throw new IllegalArgumentException("bound " + bound + " is not positive");
    }
    return (int) (((nextLong() >>> 32) * bound) >>> 32);
  }

  /** A number in [low, high], both included. */
  public int between(int low, int high) {
    return low + nextInt(high - low + 1);
  }

  /** A number in [0, 1) with 53 random bits. */
  public double nextDouble() {
    return (nextLong() >>> 11) * 0x1p-53;
  }

  public <T> T pick(List<T> choices) {
    return choices.get(nextInt(choices.size()));
  }

  /**
   * Shuffles a part of an array by Fisher–Yates (Knuth, TAOCP vol. 2, §3.4.2, algorithm P: for i = to−1 … from+1 swap i with a random
   * j, from ≤ j ≤ i).
   */
  public void shuffle(int[] array, int from, int to) {
    for (int i = to - 1; i > from; i--) {
      int j = between(from, i);
      int moved = array[i];
      array[i] = array[j];
      array[j] = moved;
    }
  }

  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
