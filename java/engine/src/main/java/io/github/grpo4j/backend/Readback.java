package io.github.grpo4j.backend;

import java.nio.ByteBuffer;

/** Results on their way to the host, which queues more work meanwhile. They are received in the order in which they were sent. */
public interface Readback extends AutoCloseable {
  /**
   * Sends what the tensors hold when the work queued so far is done. Work queued later may overwrite them.
   *
   * @throws IllegalStateException if as many results as there is room for were not received yet
   */
  void send(Tensor... tensors);

  /**
   * Waits for the results sent first of those not received yet, and for nothing behind them.
   *
   * @return the bytes of its tensors, one after the other, in native order; valid until the next call of {@link #send}
   */
  ByteBuffer receive();

  /** Gives up what was sent and not received. */
  void clear();

  @Override
  void close();
}
