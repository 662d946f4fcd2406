package io.github.grpo4j.model.safetensors;

import java.util.HashMap;
import java.util.Map;

/**
 * Element types of the safetensors format. The order is that of the reference implementation, which lays tensors out by
 * descending type so that each is aligned to its element size.
 */
public enum StoredType {
  BOOL(1),
  U8(1),
  I8(1),
  F8_E5M2(1),
  F8_E4M3(1),
  F8_E8M0(1),
  I16(2),
  U16(2),
  F16(2),
  BF16(2),
  I32(4),
  U32(4),
  F32(4),
  C64(8),
  F64(8),
  I64(8),
  U64(8);

  private static final Map<String, StoredType> BY_NAME = new HashMap<>();

  static {
    for (StoredType type : values()) {
      BY_NAME.put(type.name(), type);
    }
  }

  private final int bytes;

  StoredType(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }

  /** The type of this name in a file, or null. */
  static StoredType named(String name) {
    return BY_NAME.get(name);
  }
}
