package io.github.grpo4j.backend.cuda.runtime;

import static org.bytedeco.cuda.global.cudart.cudaEventDisableTiming;

import io.github.grpo4j.backend.Readback;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.backend.kernel.HostMemory;
import java.nio.ByteBuffer;
import org.bytedeco.cuda.cudart.CUevent_st;
import org.bytedeco.cuda.global.cudart;

/** Results in pinned host memory, each with an event behind its copies: waiting for one does not wait for what is queued after it. */
public final class CudaReadback implements Readback {
  private final CudaDevice device;
  private final CudaDevice.Address memory = new CudaDevice.Address();
  private final CUevent_st[] arrived;
  private final int[] bytes;
  private final int capacity;
  private int sent;
  private int received;

  public CudaReadback(CudaDevice device, int results, int bytes) {
    this.device = device;
    this.capacity = bytes;
    this.bytes = new int[results];
    this.arrived = new CUevent_st[results];
    CudaDevice.check(cudart.cudaMallocHost(memory, (long) results * bytes), "cudaMallocHost");
    for (int i = 0; i < results; i++) {
      arrived[i] = new CUevent_st();
      CudaDevice.check(cudart.cudaEventCreateWithFlags(arrived[i], cudaEventDisableTiming), "cudaEventCreateWithFlags");
    }
  }

  @Override
  public void send(Tensor... tensors) {
    if (sent - received == arrived.length) {
      throw new IllegalStateException(arrived.length + " results were sent and none received");
    }
    int slot = sent % arrived.length;
    int end = 0;
    for (Tensor tensor : tensors) {
      if (end + tensor.bytes() > capacity) {
        throw new IllegalArgumentException("a result of more than " + capacity + " bytes: " + tensor + " at byte " + end);
      }
      device.send(address(slot) + end, tensor.address(), tensor.bytes());
      end += (int) tensor.bytes();
    }
    bytes[slot] = end;
    CudaDevice.check(cudart.cudaEventRecord(arrived[slot], device.stream()), "cudaEventRecord");
    sent++;
  }

  @Override
  public ByteBuffer receive() {
    if (received == sent) {
      throw new IllegalStateException("nothing was sent that is not received yet");
    }
    int slot = received % arrived.length;
    CudaDevice.check(cudart.cudaEventSynchronize(arrived[slot]), "cudaEventSynchronize");
    received++;
    return HostMemory.view(address(slot), bytes[slot]);
  }

  private long address(int slot) {
    return memory.address() + (long) slot * capacity;
  }

  /** Copies that are still under way end before those that are sent next. */
  @Override
  public void clear() {
    received = sent;
  }

  @Override
  public void close() {
    device.synchronize();
    for (CUevent_st event : arrived) {
      cudart.cudaEventDestroy(event);
    }
    cudart.cudaFreeHost(memory);
  }
}
