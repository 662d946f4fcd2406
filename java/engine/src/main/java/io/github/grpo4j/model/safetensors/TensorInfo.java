package io.github.grpo4j.model.safetensors;

import java.util.Arrays;

/**
 * One entry of a safetensors header.
 *
 * @param shape dimensions; empty for a scalar
 * @param begin first byte, counted from the end of the header
 * @param bytes length of the data
 */
public record TensorInfo(String name, StoredType type, long[] shape, long begin, long bytes) {
  public TensorInfo {
    shape = shape.clone();
  }

  /** A tensor that is going to be written; its place is decided by the writer. */
  public static TensorInfo of(String name, StoredType type, long... shape) {
    return new TensorInfo(name, type, shape, 0, bytesOf(type, shape));
  }

  @Override
  public long[] shape() {
    return shape.clone();
  }

  /** The product of the dimensions. */
  public long elements() {
    return bytes / type.bytes();
  }

  TensorInfo at(long newBegin) {
    return new TensorInfo(name, type, shape, newBegin, bytes);
  }

  /**
   * Bytes of a tensor of this shape.
   *
   * @throws ArithmeticException if they do not fit a signed 64-bit number, or a dimension is negative
   */
  static long bytesOf(StoredType type, long[] shape) {
    long bytes = type.bytes();
    for (long dim : shape) {
      if (dim < 0) {
        throw new ArithmeticException("negative dimension");
      }
      bytes = Math.multiplyExact(bytes, dim);
    }
    return bytes;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof TensorInfo info && name.equals(info.name) && type == info.type
        && Arrays.equals(shape, info.shape) && begin == info.begin && bytes == info.bytes;
  }

  @Override
  public int hashCode() {
    return 31 * name.hashCode() + Arrays.hashCode(shape);
  }

  /** For example {@code model.norm.weight F32[896]}. */
  @Override
  public String toString() {
    return name + " " + type + Arrays.toString(shape);
  }
}
