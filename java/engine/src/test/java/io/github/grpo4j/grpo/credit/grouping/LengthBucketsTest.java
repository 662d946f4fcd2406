package io.github.grpo4j.grpo.credit.grouping;

import static io.github.grpo4j.grpo.credit.grouping.LengthBuckets.LONG;
import static io.github.grpo4j.grpo.credit.grouping.LengthBuckets.MEDIUM;
import static io.github.grpo4j.grpo.credit.grouping.LengthBuckets.SHORT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class LengthBucketsTest {
  /** Mean 5, population deviation 2 (of squares 9 + 1 + 1 + 1 + 0 + 0 + 4 + 16 over 8): bounds 3 and 7. */
  @Test
  void boundsAreOnePopulationDeviationFromTheMean() {
    assertArrayEquals(new int[] {SHORT, MEDIUM, MEDIUM, MEDIUM, MEDIUM, MEDIUM, MEDIUM, LONG},
        LengthBuckets.of(new int[] {2, 4, 4, 4, 5, 5, 7, 9}), "7 is on the bound, and bounds are medium");
  }

  @Test
  void equalLengthsAreAllMedium() {
    assertArrayEquals(new int[] {MEDIUM, MEDIUM, MEDIUM}, LengthBuckets.of(new int[] {1, 1, 1}));
    assertArrayEquals(new int[] {MEDIUM}, LengthBuckets.of(new int[] {70}));
    assertArrayEquals(new int[0], LengthBuckets.of(new int[0]));
  }

  /** Without the 100 the bounds are 3 and 7; with it nothing but the 100 would leave the middle. */
  @Test
  void aCompletionThatLeftChangesNoBound() {
    int[] lengths = {2, 4, 4, 100, 4, 5, 5, 7, 9};
    boolean[] left = new boolean[9];
    left[3] = true;
    assertArrayEquals(new int[] {SHORT, MEDIUM, MEDIUM, LONG, MEDIUM, MEDIUM, MEDIUM, MEDIUM, LONG}, LengthBuckets.of(lengths, left));
    assertArrayEquals(new int[] {MEDIUM, MEDIUM, MEDIUM, LONG, MEDIUM, MEDIUM, MEDIUM, MEDIUM, MEDIUM}, LengthBuckets.of(lengths));
  }

  @Test
  void whereAllHaveLeftBucketsAreStillDefined() {
    assertArrayEquals(new int[] {MEDIUM, LONG}, LengthBuckets.of(new int[] {1, 2}, new boolean[] {true, true}), "around 0, 1 wide");
  }

  @Test
  void bucketsHaveNames() {
    assertEquals("short", LengthBuckets.name(SHORT));
    assertEquals("medium", LengthBuckets.name(MEDIUM));
    assertEquals("long", LengthBuckets.name(LONG));
    assertThrows(IllegalArgumentException.class, () -> LengthBuckets.name(3));
  }
}
