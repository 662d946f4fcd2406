package io.github.grpo4j.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BatchOrderTest {
  @Test
  void everyEpochVisitsEveryProblemOnce() {
    BatchOrder order = new BatchOrder(10, 4, 42, true);
    assertEquals(3, order.stepsPerEpoch());
    for (int epoch = 0; epoch < 5; epoch++) {
      int[] seen = IntStream.range(3 * epoch, 3 * epoch + 3).flatMap(step -> Arrays.stream(order.batch(step))).toArray();
      assertArrayEquals(order.order(epoch), seen);
      assertArrayEquals(IntStream.range(0, 10).toArray(), Arrays.stream(seen).sorted().toArray());
      assertEquals(2, order.batch(3 * epoch + 2).length);
      assertEquals(epoch, order.epoch(3 * epoch + 2));
    }
  }

  /** Fixed for good, and computed once by another implementation of the documented algorithm. */
  @Test
  void theOrderNeverChanges() {
    assertEquals("[0, 1, 6, 4, 2, 9, 5, 7, 3, 8]", Arrays.toString(new BatchOrder(10, 4, 42, true).order(0)));
    assertEquals("[9, 2, 7, 6, 4, 3, 5, 0, 1, 8]", Arrays.toString(new BatchOrder(10, 4, 42, true).order(1)));
  }

  @Test
  void seedsAndEpochsDiffer() {
    BatchOrder order = new BatchOrder(100, 10, 1, true);
    assertFalse(Arrays.equals(order.order(0), order.order(1)));
    assertFalse(Arrays.equals(order.order(0), new BatchOrder(100, 10, 2, true).order(0)));
    assertArrayEquals(order.order(7), new BatchOrder(100, 3, 1, true).order(7));
  }

  @Test
  void unshuffledIsTheOrderOfTheData() {
    BatchOrder order = new BatchOrder(5, 2, 9, false);
    assertArrayEquals(new int[] {4}, order.batch(2));
    assertArrayEquals(new int[] {0, 1}, order.batch(3));
    assertArrayEquals(new int[] {0, 1, 2}, new BatchOrder(3, Integer.MAX_VALUE, 0, false).batch(6));
  }

  @Test
  void refusesNonsense() {
    assertThrows(IllegalArgumentException.class, () -> new BatchOrder(0, 1, 0, true));
    assertThrows(IllegalArgumentException.class, () -> new BatchOrder(1, 0, 0, true));
    assertThrows(IllegalArgumentException.class, () -> new BatchOrder(1, 1, 0, true).batch(-1));
  }
}
