package io.github.grpo4j.backend;

import io.github.grpo4j.backend.Backend.Updater;
import java.util.Arrays;

/** What is known of a back end's memory without opening it: what memory plans add up. */
public enum DeviceKind {
  /** This machine's processor, with this machine's memory. */
  CPU {
    @Override
    public long bytesOf(DType dtype, Layout layout, long... shape) {
      return CpuBackend.bytesOf(dtype, layout, shape);
    }

    @Override
    public long streamingDeviceBytes(Updater updater, int bucket) {
      return 0;
    }

    @Override
    public long streamingHostBytes(Updater updater, int bucket) {
      return 0;
    }

    @Override
    public long ownBytes() {
      return 0;
    }
  },
  /** An NVIDIA GPU, with memory of its own. */
  CUDA {
    @Override
    public long bytesOf(DType dtype, Layout layout, long... shape) {
      OpChecks.allocate(dtype, layout, shape);
      long elements = Arrays.stream(shape).reduce(1, Math::multiplyExact);
      long bytes = Math.multiplyExact(elements, dtype.bytes());
      return Math.max(CUDA_ALIGNMENT, Math.addExact(bytes, CUDA_ALIGNMENT - 1) / CUDA_ALIGNMENT * CUDA_ALIGNMENT);
    }

    @Override
    public long streamingDeviceBytes(Updater updater, int bucket) {
      return updater == Updater.DEVICE ? 2L * 3 * Float.BYTES * bucket : 0;
    }

    @Override
    public long streamingHostBytes(Updater updater, int bucket) {
      return updater == Updater.HOST ? 2L * 2 * Float.BYTES * bucket : 0;
    }

    @Override
    public long ownBytes() {
      return CUDA_OWN_BYTES;
    }
  };

  private static final long CUDA_ALIGNMENT = 256;
  /** Room for cuBLAS, and for intermediate values of kernels: at most a chunk of logits as BF16, and what was outgrown on the way. */
  private static final long CUDA_OWN_BYTES = 256L << 20;

  /** Bytes of a tensor, as {@link Backend#sizeOf}. */
  public abstract long bytesOf(DType dtype, Layout layout, long... shape);

  /** Bytes that {@link Backend#streamedAdamW} takes of the device. */
  public abstract long streamingDeviceBytes(Updater updater, int bucket);

  /** Bytes that {@link Backend#streamedAdamW} takes of the host. */
  public abstract long streamingHostBytes(Updater updater, int bucket);

  /** Bytes of the device that an open back end may come to take beside tensors, an estimate. */
  public abstract long ownBytes();

  /** Whether the device's memory is another than the host's. */
  public boolean hasOwnMemory() {
    return this == CUDA;
  }
}
