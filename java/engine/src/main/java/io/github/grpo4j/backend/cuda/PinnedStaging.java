package io.github.grpo4j.backend.cuda;

import static org.bytedeco.cuda.global.cudart.cudaEventDisableTiming;

import io.github.grpo4j.backend.cpu.HostMemory;
import org.bytedeco.cuda.cudart.CUevent_st;
import org.bytedeco.cuda.global.cudart;

/**
 * Java arrays on their way to the GPU and back, through pinned host memory in two halves: while the copies out of one half may
 * still be under way, the other one is filled. An upload waits only when it comes back to a half too soon.
 */
public final class PinnedStaging implements AutoCloseable {
  private static final int HALF_BYTES = 4 << 20;
  private static final int ALIGNMENT = 64;

  private final CudaDevice device;
  private final CudaDevice.Address memory = new CudaDevice.Address();
  private final CUevent_st[] copied = {new CUevent_st(), new CUevent_st()};
  private int half;
  private int used;

  PinnedStaging(CudaDevice device) {
    this.device = device;
    CudaDevice.check(cudart.cudaMallocHost(memory, 2L * HALF_BYTES), "cudaMallocHost");
    for (CUevent_st event : copied) {
      CudaDevice.check(cudart.cudaEventCreateWithFlags(event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
    }
  }

  public void upload(long to, float[] src, int offset, int count) {
    for (int done = 0; done < count; done += HALF_BYTES / Float.BYTES) {
      int piece = Math.min(HALF_BYTES / Float.BYTES, count - done);
      long at = take(piece * Float.BYTES);
      HostMemory.put(at, src, offset + done, piece);
      device.upload(to + (long) Float.BYTES * done, at, (long) Float.BYTES * piece);
    }
  }

  public void upload(long to, int[] src, int offset, int count) {
    for (int done = 0; done < count; done += HALF_BYTES / Integer.BYTES) {
      int piece = Math.min(HALF_BYTES / Integer.BYTES, count - done);
      long at = take(piece * Integer.BYTES);
      HostMemory.put(at, src, offset + done, piece);
      device.upload(to + (long) Integer.BYTES * done, at, (long) Integer.BYTES * piece);
    }
  }

  public void download(long from, float[] dst, int offset, int count) {
    for (int done = 0; done < count; done += HALF_BYTES / Float.BYTES) {
      int piece = Math.min(HALF_BYTES / Float.BYTES, count - done);
      HostMemory.get(fetch(from + (long) Float.BYTES * done, piece * Float.BYTES), dst, offset + done, piece);
    }
  }

  public void download(long from, int[] dst, int offset, int count) {
    for (int done = 0; done < count; done += HALF_BYTES / Integer.BYTES) {
      int piece = Math.min(HALF_BYTES / Integer.BYTES, count - done);
      HostMemory.get(fetch(from + (long) Integer.BYTES * done, piece * Integer.BYTES), dst, offset + done, piece);
    }
  }

  public void download(long from, double[] dst, int offset, int count) {
    for (int done = 0; done < count; done += HALF_BYTES / Double.BYTES) {
      int piece = Math.min(HALF_BYTES / Double.BYTES, count - done);
      HostMemory.get(fetch(from + (long) Double.BYTES * done, piece * Double.BYTES), dst, offset + done, piece);
    }
  }

  private long fetch(long from, int bytes) {
    long at = take(bytes);
    device.download(at, from, bytes);
    return at;
  }

  /** Room for so many bytes, at most a half, that no copy uses any more. */
  private long take(int bytes) {
    if (used + bytes > HALF_BYTES) {
      CudaDevice.check(cudart.cudaEventRecord(copied[half], device.stream()), "cudaEventRecord");
      half = 1 - half;
      used = 0;
      CudaDevice.check(cudart.cudaEventSynchronize(copied[half]), "cudaEventSynchronize");
    }
    long at = memory.address() + (long) half * HALF_BYTES + used;
    used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return at;
  }

  @Override
  public void close() {
    for (CUevent_st event : copied) {
      cudart.cudaEventDestroy(event);
    }
    cudart.cudaFreeHost(memory);
  }
}
