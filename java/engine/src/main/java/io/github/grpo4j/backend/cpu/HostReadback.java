package io.github.grpo4j.backend.cpu;

import io.github.grpo4j.backend.Readback;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.backend.kernel.HostMemory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Results of work that is done when its call returns: copied when they are sent. */
public final class HostReadback implements Readback {
  private final ByteBuffer[] results;
  private int sent;
  private int received;

  public HostReadback(int results, int bytes) {
    this.results = new ByteBuffer[results];
    for (int i = 0; i < results; i++) {
      this.results[i] = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
    }
  }

  @Override
  public void send(Tensor... tensors) {
    if (sent - received == results.length) {
      throw new IllegalStateException(results.length + " results were sent and none received");
    }
    ByteBuffer result = results[sent % results.length].clear();
    for (Tensor tensor : tensors) {
      if (tensor.bytes() > result.remaining()) {
        throw new IllegalArgumentException("a result of more than " + result.capacity() + " bytes: " + tensor + " at byte " + result.position());
      }
      result.put(HostMemory.view(tensor.address(), tensor.bytes()));
    }
    result.flip();
    sent++;
  }

  @Override
  public ByteBuffer receive() {
    if (received == sent) {
      throw new IllegalStateException("nothing was sent that is not received yet");
    }
    return results[received++ % results.length];
  }

  @Override
  public void clear() {
    received = sent;
  }

  @Override
  public void close() {}
}
