package io.github.grpo4j.update;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.model.LossHead.Targets;
import io.github.grpo4j.model.PackedBatch;
import io.github.grpo4j.testing.TestDevice;
import io.github.grpo4j.update.GradientPass.Sample;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;

/** Which rows go through the model, and which of them samples share. */
class MicroBatchTest {
  private static final int VOCABULARY = 100;

  @Test
  void neighboursWithOnePromptShareAllOfItButItsLastToken() {
    List<Sample> samples = List.of(sample(3, 10, 11, 12, 50, 51, 52), sample(3, 10, 11, 12, 60), sample(3, 10, 11, 12),
        sample(3, 10, 11, 13, 70, 71), sample(2, 10, 11, 13, 80));
    packed(samples, 1000, (device, batches) -> {
      PackedBatch batch = batches.get(0);
      assertEquals(1, batches.size());
      assertArrayEquals(new int[] {10, 11, 12, 50, 51, 12, 12, 10, 11, 13, 70, 10, 11, 13}, device.readInts(batch.ids()));
      assertArrayEquals(new int[] {0, 1, 2, 3, 4, 2, 2, 0, 1, 2, 3, 0, 1, 2}, device.readInts(batch.positions()));
      assertArrayEquals(new int[] {0, 2, 5, 6, 7, 11, 14}, device.readInts(batch.segments().cuSeqlens()));
      assertArrayEquals(new int[] {-1, 0, 0, 0, -1, -1}, device.readInts(batch.segments().parents()));
      assertArrayEquals(new int[] {0, 2, 4, 6, -1, -1}, device.readInts(batch.segments().workspaceRows()));
      assertEquals(8, batch.workspaceRows());
      assertEquals(5, batch.segments().maxSeqlen(), "two shared rows and three of the first completion");
    });
    MicroBatch batch = MicroBatch.cut(samples, 1000).get(0);
    Targets targets = batch.targets();
    assertArrayEquals(new int[] {0, 3, 3, 3, 3, 2}, targets.first());
    assertArrayEquals(new int[] {0, 3, 1, 0, 2, 2}, targets.count());
    assertArrayEquals(new int[] {50, 51, 52, 60, 70, 71, 13, 80}, batch.targetIds());
  }

  @Test
  void promptsOfOneTokenAndSamplesWithoutNeighboursStandAlone() {
    List<Sample> samples = List.of(sample(1, 10, 20, 21), sample(1, 10, 30), sample(2, 10, 11, 40), sample(2, 12, 11, 41),
        sample(2, 10, 11, 42));
    packed(samples, 1000, (device, batches) -> {
      PackedBatch batch = batches.get(0);
      assertArrayEquals(new int[] {10, 20, 10, 10, 11, 12, 11, 10, 11}, device.readInts(batch.ids()));
      assertNull(batch.segments().parents());
      assertNull(batch.segments().workspaceRows());
      assertEquals(0, batch.workspaceRows());
    });
  }

  /** Four completions of 3 tokens to a prompt of 5: 4 shared rows and 3 for each. */
  @Test
  void theBudgetCountsRowsAndMayCutAGroup() {
    List<Sample> samples = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      samples.add(sample(5, 1, 2, 3, 4, 5, 20 + i, 30 + i, 40 + i));
    }
    assertArrayEquals(new int[] {16}, rows(samples, 16));
    assertArrayEquals(new int[] {13, 7}, rows(samples, 15));
    assertArrayEquals(new int[] {10, 10}, rows(samples, 10));
    assertArrayEquals(new int[] {7, 7, 7, 7}, rows(samples, 9));
    assertArrayEquals(new int[] {7, 7, 7, 7}, rows(samples, 1));
  }

  /** Long prompts with short completions: the sums of a backward pass, not the rows, are what fills the memory. */
  @Test
  void sharedSumsAreBounded() {
    int[] ids = new int[21];
    Arrays.setAll(ids, i -> i);
    List<Sample> samples = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      ids[20] = 50 + i;
      samples.add(new Sample(ids.clone(), 20));
    }
    for (int budget : new int[] {20, 21, 30, 40, 60}) {
      packed(samples, budget, (device, batches) -> {
        assertTrue(batches.size() < samples.size() || budget < 21, "sharing goes on");
        for (PackedBatch batch : batches) {
          assertTrue(batch.tokens() <= budget && batch.workspaceRows() <= PackedBatch.MAX_WORKSPACE * budget);
        }
      });
    }
  }

  private static int[] rows(List<Sample> samples, int budget) {
    List<Integer> rows = new ArrayList<>();
    packed(samples, budget, (device, batches) -> batches.forEach(batch -> rows.add(batch.tokens())));
    return rows.stream().mapToInt(i -> i).toArray();
  }

  private static void packed(List<Sample> samples, int budget, BiConsumer<TestDevice, List<PackedBatch>> check) {
    try (TestDevice device = TestDevice.cpu(1); Arena arena = new Arena(device.backend(), 1 << 20, "test", "nothing")) {
      check.accept(device, MicroBatch.cut(samples, budget).stream().map(batch -> batch.pack(device.backend(), arena, VOCABULARY)).toList());
    }
  }

  private static Sample sample(int firstTarget, int... ids) {
    return new Sample(ids, firstTarget);
  }
}
