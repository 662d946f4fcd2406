package io.github.grpo4j.backend;

import java.util.Locale;
import java.util.Optional;

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

  /** The storage type that people call so, in the spelling of this program or of PyTorch: {@code f16}, {@code fp16}, {@code float16}. */
  public static Optional<DType> storage(String name) {
    return Optional.ofNullable(switch (name.toLowerCase(Locale.ROOT)) {
      case "f32", "fp32", "float32" -> F32;
      case "bf16", "bfloat16" -> BF16;
      case "f16", "fp16", "float16" -> F16;
      default -> null;
    });
  }

  /** As an option has it: {@code f32}. */
  public String optionName() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Whether activations and weights may be stored so; F16 is for GPUs, no CPU kernel computes with it. */
  public boolean isStorage() {
    return this == F32 || this == BF16 || this == F16;
  }
}
