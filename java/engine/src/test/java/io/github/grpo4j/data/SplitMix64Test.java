package io.github.grpo4j.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import org.junit.jupiter.api.Test;

class SplitMix64Test {
  /** First outputs for seed 1234567 as published with Vigna's C reference implementation. */
  @Test
  void givesThePublishedValues() {
    SplitMix64 random = new SplitMix64(1234567);
    for (String value : new String[] {
      "6457827717110365317", "3203168211198807973", "9817491932198370423", "4593380528125082431", "16408922859458223821"
    }) {
      assertEquals(value, Long.toUnsignedString(random.nextLong()));
    }
  }

  @Test
  void boundedNumbersAreEven() {
    int[] counts = new int[7];
    SplitMix64 random = SplitMix64.keyed(1, 2, 3);
    for (int i = 0; i < 70_000; i++) {
      counts[random.nextInt(7)]++;
    }
    for (int count : counts) {
      assertEquals(10_000, count, 400);
    }
  }

  @Test
  void everyKeyMatters() {
    long value = SplitMix64.keyed(1, 2).nextLong();
    assertNotEquals(value, SplitMix64.keyed(2, 1).nextLong());
    assertNotEquals(value, SplitMix64.keyed(1, 3).nextLong());
    assertNotEquals(value, SplitMix64.keyed(1, 2, 0).nextLong());
  }
}
