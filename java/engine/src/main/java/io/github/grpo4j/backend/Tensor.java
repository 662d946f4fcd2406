package io.github.grpo4j.backend;

import java.util.Arrays;

/**
 * A typed, shaped piece of memory, a device's or (for what a step touches once, see {@link Backend#allocateHost}) the host's. It
 * is a handle: the elements live in the memory of a {@link Backend} and are reached only through its ops
 * ({@link Backend#upload}, {@link Backend#download}, …), never through the address.
 *
 * <p>A tensor that {@link Backend#allocate} returned owns its memory and frees it on {@link #close}. A tensor from an
 * {@link Arena} or a view ({@link #rows(long, long)}, {@link #reshape}) owns nothing; closing it only ends its use.
 * Using a closed tensor throws {@link IllegalStateException}. Not thread-safe, like the back end itself.
 */
public final class Tensor implements AutoCloseable {
  /** Whose memory the elements lie in. On a device that shares the host's memory every tensor is the device's. */
  public enum Place {
    DEVICE,
    HOST
  }

  private final DType dtype;
  private final Layout layout;
  private final Place place;
  private final long[] shape;
  private final long storedElements;
  private final Runnable release;
  private long address;

  /** In the device's memory. */
  public Tensor(DType dtype, Layout layout, long[] shape, long storedElements, long address, Runnable release) {
    this(dtype, layout, Place.DEVICE, shape, storedElements, address, release);
  }

  /**
   * Called by back ends and arenas.
   *
   * @param storedElements elements in memory, padding of a packed layout included
   * @param release frees the memory; run at most once
   */
  public Tensor(DType dtype, Layout layout, Place place, long[] shape, long storedElements, long address, Runnable release) {
    this.dtype = dtype;
    this.layout = layout;
    this.place = place;
    this.shape = shape.clone();
    this.storedElements = storedElements;
    this.address = address;
    this.release = release;
  }

  public DType dtype() {
    return dtype;
  }

  public Layout layout() {
    return layout;
  }

  public Place place() {
    return place;
  }

  public int rank() {
    return shape.length;
  }

  public long dim(int axis) {
    return shape[axis];
  }

  public long[] shape() {
    return shape.clone();
  }

  /** The first dimension. */
  public long rows() {
    return shape[0];
  }

  /** The product of all dimensions but the first. */
  public long columns() {
    long columns = 1;
    for (int i = 1; i < shape.length; i++) {
      columns *= shape[i];
    }
    return columns;
  }

  /** The product of all dimensions, without padding. */
  public long elements() {
    return rows() * columns();
  }

  /** Elements in memory; more than {@link #elements()} where a packed layout pads. */
  public long storedElements() {
    return storedElements;
  }

  public long bytes() {
    return storedElements * dtype.bytes();
  }

  /**
   * The device address, for back ends only.
   *
   * @throws IllegalArgumentException if the elements lie in the host's memory
   */
  public long address() {
    if (place != Place.DEVICE) {
      throw new IllegalArgumentException("tensor " + this + " lies in the host's memory, which only copy, packRows, unpackRows and "
          + "streamed AdamW reach");
    }
    return anyAddress();
  }

  /** The address wherever it is, for back ends and the few ops that reach both memories. */
  public long anyAddress() {
    if (address == 0 && storedElements > 0) {
      throw new IllegalStateException("tensor " + this + " is used after it was closed");
    }
    return address;
  }

  /** Rows {@code [first, first + count)} of a row-major tensor, in the same memory. */
  public Tensor rows(long first, long count) {
    requireRowMajor("rows");
    if (first < 0 || count < 0 || first + count > shape[0]) {
      throw new IllegalArgumentException("rows " + first + " to " + (first + count) + " of tensor " + this);
    }
    long[] part = shape.clone();
    part[0] = count;
    return new Tensor(dtype, layout, place, part, count * columns(), anyAddress() + first * columns() * dtype.bytes(), () -> {});
  }

  /** The same memory under another shape of as many elements. */
  public Tensor reshape(long... newShape) {
    requireRowMajor("reshape");
    long elements = Arrays.stream(newShape).reduce(1, Math::multiplyExact);
    if (elements != elements()) {
      throw new IllegalArgumentException("cannot see tensor " + this + " as " + Arrays.toString(newShape));
    }
    return new Tensor(dtype, layout, place, newShape, storedElements, anyAddress(), () -> {});
  }

  /** The start of this memory as another type and shape: staging buffers that take whatever a file holds. */
  public Tensor viewAs(DType newType, long... newShape) {
    requireRowMajor("viewAs");
    long elements = Arrays.stream(newShape).reduce(1, Math::multiplyExact);
    if (Math.multiplyExact(elements, newType.bytes()) > bytes()) {
      throw new IllegalArgumentException("cannot see tensor " + this + " as " + newType + Arrays.toString(newShape));
    }
    return new Tensor(newType, layout, place, newShape, elements, anyAddress(), () -> {});
  }

  @Override
  public void close() {
    if (address != 0) {
      address = 0;
      release.run();
    }
  }

  /** For example {@code F32[4, 896]} or {@code BF16[4864, 896] packed}. */
  @Override
  public String toString() {
    return dtype + Arrays.toString(shape) + (layout == Layout.PACKED ? " packed" : "") + (place == Place.HOST ? " on the host" : "");
  }

  private void requireRowMajor(String what) {
    if (layout != Layout.ROWS) {
      throw new IllegalArgumentException(what + " of a packed tensor " + this + ": its order is the back end's own");
    }
  }
}
