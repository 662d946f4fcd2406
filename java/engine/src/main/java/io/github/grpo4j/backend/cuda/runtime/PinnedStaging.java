package io.github.grpo4j.backend.cuda.runtime;

import static org.bytedeco.cuda.global.cudart.cudaEventDisableTiming;

import io.github.grpo4j.backend.kernel.HostMemory;
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

  /** Moves elements {@code [done, done + count)} of an array between it and pinned memory at {@code at}. */
  private interface Piece {
    void move(long at, int done, int count);
  }

  public void upload(long to, float[] src, int offset, int count) {
    upload(to, Float.BYTES, count, (at, done, piece) -> HostMemory.put(at, src, offset + done, piece));
  }

  public void upload(long to, int[] src, int offset, int count) {
    upload(to, Integer.BYTES, count, (at, done, piece) -> HostMemory.put(at, src, offset + done, piece));
  }

  public void download(long from, float[] dst, int offset, int count) {
    download(from, Float.BYTES, count, (at, done, piece) -> HostMemory.get(at, dst, offset + done, piece));
  }

  public void download(long from, int[] dst, int offset, int count) {
    download(from, Integer.BYTES, count, (at, done, piece) -> HostMemory.get(at, dst, offset + done, piece));
  }

  public void download(long from, double[] dst, int offset, int count) {
    download(from, Double.BYTES, count, (at, done, piece) -> HostMemory.get(at, dst, offset + done, piece));
  }

  private void upload(long to, int elementBytes, int count, Piece fill) {
    for (int done = 0; done < count; done += HALF_BYTES / elementBytes) {
      int piece = Math.min(HALF_BYTES / elementBytes, count - done);
      long at = take(piece * elementBytes);
      fill.move(at, done, piece);
      device.upload(to + (long) elementBytes * done, at, (long) elementBytes * piece);
    }
  }

  private void download(long from, int elementBytes, int count, Piece drain) {
    for (int done = 0; done < count; done += HALF_BYTES / elementBytes) {
      int piece = Math.min(HALF_BYTES / elementBytes, count - done);
      drain.move(fetch(from + (long) elementBytes * done, piece * elementBytes), done, piece);
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
