package io.github.grpo4j.backend;

import java.util.Arrays;

/** What is known of a back end's memory without opening it: what memory plans add up. */
public enum DeviceKind {
  /** This machine's processor, with this machine's memory. */
  CPU {
    @Override
    public long bytesOf(DType dtype, Layout layout, long... shape) {
      if (layout == Layout.PACKED && dtype == DType.F16) {
        throw new IllegalArgumentException("allocate: the kernels of the CPU multiply F32 and BF16 matrices; F16"
            + Arrays.toString(shape) + " packed is for a GPU");
      }
      return alignedBytes(dtype, layout, shape, CPU_ALIGNMENT);
    }

    @Override
    public long storedElements(Layout layout, long... shape) {
      if (layout == Layout.PACKED) {
        long rows = Math.addExact(shape[0], CPU_PANEL - 1) / CPU_PANEL * CPU_PANEL;
        return Math.multiplyExact(rows, Math.addExact(shape[1], shape[1] % 2));
      }
      return elements(shape);
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
      return alignedBytes(dtype, layout, shape, CUDA_ALIGNMENT);
    }

    @Override
    public long storedElements(Layout layout, long... shape) {
      return elements(shape);
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

  private static final long CPU_ALIGNMENT = 64;
  /** Rows of one panel of a packed matrix; its columns are padded to even. */
  private static final long CPU_PANEL = 32;
  private static final long CUDA_ALIGNMENT = 256;
  /** Room for cuBLAS, and for intermediate values of kernels: at most a chunk of logits as BF16, and what was outgrown on the way. */
  private static final long CUDA_OWN_BYTES = 256L << 20;

  /** Bytes of a tensor, as {@link Backend#sizeOf}. */
  public abstract long bytesOf(DType dtype, Layout layout, long... shape);

  /** Elements that a tensor has in memory, padding of a packed layout included. */
  public abstract long storedElements(Layout layout, long... shape);

  /** Bytes that {@link Backend#streamedAdamW} takes of the device. */
  public abstract long streamingDeviceBytes(Updater updater, int bucket);

  /** Bytes that {@link Backend#streamedAdamW} takes of the host. */
  public abstract long streamingHostBytes(Updater updater, int bucket);

  /** Bytes of the device that an open back end may come to take beside tensors, an estimate. */
  public abstract long ownBytes();

  long alignedBytes(DType dtype, Layout layout, long[] shape, long alignment) {
    layout.require(dtype, shape);
    long bytes = Math.multiplyExact(storedElements(layout, shape), dtype.bytes());
    return Math.max(alignment, Math.addExact(bytes, alignment - 1) / alignment * alignment);
  }

  private static long elements(long[] shape) {
    return Arrays.stream(shape).reduce(1, Math::multiplyExact);
  }

  /** Whether the device's memory is another than the host's. */
  public boolean hasOwnMemory() {
    return this == CUDA;
  }
}
