package io.github.grpo4j.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.grpo4j.testing.TestDevice;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

/** Results that the host reads late, while their tensors have long been overwritten. */
class ReadbackTest {
  @Test
  void resultsAreThoseOfTheTimeTheyWereSent() {
    try (TestDevice device = TestDevice.cpu(1); Readback readback = device.backend().readback(3, 20)) {
      Tensor ints = device.ints(0, 0, 0);
      Tensor floats = device.zeros(DType.F32, Layout.ROWS, 2);
      for (int i = 0; i < 10; i++) {
        device.backend().upload(ints, new int[] {i, -i, 7}, 0);
        device.backend().upload(floats, new float[] {i + 0.5f, -1}, 0);
        readback.send(ints, floats);
        if (i >= 2) {
          assertReceived(readback, i - 2);
        }
      }
      assertReceived(readback, 8);
      readback.send(ints.rows(1, 1));
      readback.clear();
      readback.send(ints, floats);
      assertReceived(readback, 9);
    }
  }

  private static void assertReceived(Readback readback, int i) {
    ByteBuffer bytes = readback.receive();
    assertEquals(20, bytes.remaining());
    assertEquals(ByteOrder.nativeOrder(), bytes.order());
    int[] ints = new int[3];
    bytes.asIntBuffer().get(ints);
    assertArrayEquals(new int[] {i, -i, 7}, ints);
    assertEquals(i + 0.5f, bytes.getFloat(12));
    assertEquals(-1, bytes.getFloat(16));
  }

  @Test
  void whatDoesNotFitIsRefused() {
    try (TestDevice device = TestDevice.cpu(1); Readback readback = device.backend().readback(2, 12)) {
      Tensor ints = device.ints(1, 2, 3);
      assertThrows(IllegalStateException.class, readback::receive);
      assertThrows(IllegalArgumentException.class, () -> readback.send(ints, ints));
      readback.send(ints);
      readback.send(ints);
      assertThrows(IllegalStateException.class, () -> readback.send(ints));
      readback.receive();
      readback.send(ints);
    }
  }
}
