package io.github.grpo4j.referee;

/** Shuffles: Fisher–Yates on SplitMix64, written down once more. */
final class Order {
  private static final long GAMMA = 0x9E3779B97F4A7C15L;

  private Order() {}

  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }

  /** The permutation of an epoch, from 0. */
  static int[] permutation(int size, long seed, long epoch) {
    long state = 0;
    for (long key : new long[] {3, seed, epoch}) {
      state = mix((state + GAMMA) ^ key);
    }
    int[] order = new int[size];
    for (int i = 0; i < size; i++) {
      order[i] = i;
    }
    for (int i = size - 1; i > 0; i--) {
      state += GAMMA;
      int j = (int) (((mix(state) >>> 32) * (i + 1)) >>> 32);
      int other = order[j];
      order[j] = order[i];
      order[i] = other;
    }
    return order;
  }
}
