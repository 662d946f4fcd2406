package io.github.grpo4j.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.testing.TestDevice;
import org.junit.jupiter.api.Test;

class InputTokensTest {
  @Test
  void tokensAreDrawnOnesOrGivenOnes() {
    try (TestDevice device = TestDevice.cpu(1)) {
      Backend backend = device.backend();
      Tensor sampled = device.ints(70, 71, 72, 73);
      Tensor from = device.ints(2, -1, -301, 0, 2);
      Tensor ids = device.output(DType.I32, 5);
      backend.inputTokens(ids, sampled, from, null, null);
      assertArrayEquals(new int[] {72, 0, 300, 70, 72}, device.readInts(ids));

      Tensor history = device.ints(new int[] {1, 2, 3, 4, 5, 6, 7, 8}, 2, 4);
      backend.inputTokens(ids, sampled, from, history, device.ints(7, -1, 0, 3, -1));
      assertArrayEquals(new int[] {72, 0, 300, 70, 72}, device.readInts(ids));
      assertArrayEquals(new int[] {300, 2, 3, 70, 5, 6, 7, 72}, device.readInts(history));
    }
  }

  @Test
  void operandsMustFit() {
    try (TestDevice device = TestDevice.cpu(1)) {
      Backend backend = device.backend();
      Tensor ints = device.ints(1, 2, 3);
      Tensor two = device.ints(1, 2);
      Tensor floats = device.zeros(DType.F32, Layout.ROWS, 3);
      refused("from", () -> backend.inputTokens(ints, ints, two, null, null));
      refused("ids", () -> backend.inputTokens(floats, ints, ints, null, null));
      refused("sampled", () -> backend.inputTokens(ints, floats, ints, null, null));
      refused("history", () -> backend.inputTokens(ints, ints, ints, floats, ints));
      refused("historyAt", () -> backend.inputTokens(ints, ints, ints, ints, two));
      refused("come together", () -> backend.inputTokens(ints, ints, ints, ints, null));
    }
  }

  private static void refused(String part, org.junit.jupiter.api.function.Executable call) {
    String message = assertThrows(IllegalArgumentException.class, call).getMessage();
    assertTrue(message.contains(part), message);
  }
}
