package io.github.grpo4j.backend;

/** Storage types of tensors. Arithmetic is fp32 whatever the storage. Codes are those of {@code grpo4j/ops.h}. */
public enum DType {
  F32(4, 0),
  BF16(2, 1),
  F16(2, 2),
  I32(4, 3),
  /** Of sums only: no op is told this type, so it has no code. */
  F64(8, -1);

  private final int bytes;
  private final int code;

  DType(int bytes, int code) {
    this.bytes = bytes;
    this.code = code;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }

  /** The code of this type in the op catalogue. */
  public int code() {
    return code;
  }

  /** Whether activations and weights may be stored so; F16 is for GPUs, no CPU kernel computes with it. */
  public boolean isStorage() {
    return this == F32 || this == BF16 || this == F16;
  }
}
