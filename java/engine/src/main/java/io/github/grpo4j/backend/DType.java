package io.github.grpo4j.backend;

/** Storage types of tensors. Arithmetic is fp32 whatever the storage. The order is that of {@code grpo4j/ops.h}. */
public enum DType {
  F32(4),
  BF16(2),
  F16(2),
  I32(4),
  F64(8);

  private final int bytes;

  DType(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }

  /** The code of this type in the op catalogue. */
  public int code() {
    return ordinal();
  }

  /** Whether activations and weights may be stored so; F16 is for GPUs, no CPU kernel computes with it. */
  public boolean isStorage() {
    return this == F32 || this == BF16 || this == F16;
  }
}
