package io.github.grpo4j.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.TestDevice;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Work that a back end may record and play back. */
class ReplayTest {
  @Test
  void workOfEqualKeysUsesWhatTheTensorsHoldThen() {
    try (TestDevice device = TestDevice.cpu(1); Replay replay = device.backend().replay()) {
      Tensor sum = device.tensor(DType.F32, new NdArray(new double[] {0, 0}, new long[] {2}));
      Tensor x = device.zeros(DType.F32, Layout.ROWS, 2);
      double[] expected = {0, 0};
      for (int step = 1; step <= 4; step++) {
        device.backend().upload(x, new float[] {step, 10 * step}, 0);
        replay.run("add", () -> device.backend().add(sum, x));
        replay.run("twice", () -> {
          device.backend().add(sum, x);
          device.backend().add(sum, x);
        });
        expected[0] += 3 * step;
        expected[1] += 30 * step;
        assertArrayEquals(expected, device.read(sum).values(), "step " + step);
      }
    }
  }

  /** More kinds of work than a back end may care to remember. */
  @Test
  void workOfManyKeys() {
    int keys = 100;
    try (TestDevice device = TestDevice.cpu(1); Replay replay = device.backend().replay()) {
      Tensor sums = device.zeros(DType.F32, Layout.ROWS, keys, 1);
      Tensor one = device.tensor(DType.F32, new NdArray(new double[] {1}, new long[] {1}));
      for (int round = 0; round < 4; round++) {
        for (int key = 0; key < keys; key++) {
          Tensor sum = sums.rows(key, 1).reshape(1);
          replay.run(key, () -> device.backend().add(sum, one));
        }
      }
      double[] expected = new double[keys];
      Arrays.fill(expected, 4);
      assertArrayEquals(expected, device.read(sums).values());
    }
  }

  @Test
  void rowsArePaddedToAsManyOrMore() {
    try (TestDevice device = TestDevice.cpu(1); Replay replay = device.backend().replay()) {
      int last = 0;
      for (int rows = 1; rows <= 1000; rows++) {
        int padded = replay.paddedRows(rows);
        assertTrue(padded >= rows && padded >= last && padded < 2 * rows, rows + " rows are padded to " + padded);
        assertTrue(replay.paddedRows(padded) == padded, padded + " rows are padded to " + replay.paddedRows(padded));
        last = padded;
      }
    }
  }
}
