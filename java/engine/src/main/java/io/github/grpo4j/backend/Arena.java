package io.github.grpo4j.backend;

import java.util.Arrays;

/**
 * One slab of device memory that tensors of a step are cut from, one after the other. Taking one costs nothing, and all
 * are given back at once by going back to a {@link #mark}. The size is planned beforehand, so a run that fits once fits
 * always: memory neither grows nor fragments over a training run.
 *
 * <p>Tensors are not zeroed.
 */
public final class Arena implements AutoCloseable {
  private static final long ALIGNMENT = 64;

  private final Tensor slab;
  private final String name;
  private final String sizeOption;
  private long used;
  private long highWaterMark;

  /**
   * @param name what the arena holds, for error messages ("activations")
   * @param sizeOption the option that makes it fit ("training.micro_batch_tokens")
   */
  public Arena(Backend backend, long bytes, String name, String sizeOption) {
    this.slab = backend.allocate(DType.F32, Layout.ROWS, (bytes + 3) / 4);
    this.name = name;
    this.sizeOption = sizeOption;
  }

  /** An uninitialised row-major tensor. */
  public Tensor tensor(DType dtype, long... shape) {
    long elements = Arrays.stream(shape).reduce(1, Math::multiplyExact);
    long bytes = sizeOf(dtype, shape);
    if (used + bytes > slab.bytes()) {
      throw new BackendException("the arena of " + name + " is full: " + dtype + Arrays.toString(shape) + " needs " + bytes
          + " bytes, " + (slab.bytes() - used) + " of " + slab.bytes() + " are left; change " + sizeOption);
    }
    Tensor tensor = new Tensor(dtype, Layout.ROWS, shape, elements, slab.address() + used, () -> {});
    used += bytes;
    highWaterMark = Math.max(highWaterMark, used);
    return tensor;
  }

  /** Bytes that {@link #tensor} takes for this type and shape: what a memory plan adds up. */
  public static long sizeOf(DType dtype, long... shape) {
    long bytes = Math.multiplyExact(Arrays.stream(shape).reduce(1, Math::multiplyExact), dtype.bytes());
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /** The present fill, to {@link #reset} to later. */
  public long mark() {
    return used;
  }

  /** Gives back everything taken since {@code mark}; those tensors must not be used any more. */
  public void reset(long mark) {
    if (mark < 0 || mark > used) {
      throw new IllegalArgumentException("mark " + mark + " is not in the arena of " + name + ", which holds " + used);
    }
    used = mark;
  }

  /** The most bytes ever in use. */
  public long highWaterMark() {
    return highWaterMark;
  }

  @Override
  public void close() {
    slab.close();
  }
}
