package io.github.grpo4j.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.TestDevice;
import org.junit.jupiter.api.Test;

/** Work that a back end may record and play back. */
class ReplayTest {
  @Test
  void workOfEqualKeysUsesWhatTheTensorsHoldThen() {
    try (TestDevice device = TestDevice.cpu(1); Backend.Replay replay = device.backend().replay()) {
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
}
