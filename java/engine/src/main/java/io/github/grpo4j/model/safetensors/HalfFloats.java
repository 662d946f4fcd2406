package io.github.grpo4j.model.safetensors;

/** Conversions between 16-bit floating-point storage and float, in Java: for headers, tests and small tensors. */
public final class HalfFloats {
  private static final float SUBNORMAL_STEP = 0x1p-24f;

  private HalfFloats() {}

  /** The upper half of an IEEE single. */
  public static float fromBfloat16(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /** To the nearest, ties to even; NaN stays NaN. */
  public static short toBfloat16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) (bits >>> 16 | 0x40);
    }
    return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
  }

  /** IEEE half precision: 1 sign bit, 5 exponent bits, 10 fraction bits. */
  public static float fromFloat16(short bits) {
    int exponent = bits >>> 10 & 0x1f;
    int fraction = bits & 0x3ff;
    float magnitude;
    if (exponent == 0) {
      magnitude = fraction * SUBNORMAL_STEP;
    } else if (exponent == 31) {
      magnitude = Float.intBitsToFloat(0x7f800000 | fraction << 13);
    } else {
      magnitude = Float.intBitsToFloat(exponent + 112 << 23 | fraction << 13);
    }
    return bits < 0 ? -magnitude : magnitude;
  }
}
