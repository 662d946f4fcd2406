package io.github.grpo4j.testing;

/** IEEE half precision: 1 sign bit, 5 exponent bits, 10 fraction bits. The library only reads it; tests write it, too. */
final class Float16 {
  /** From here on the nearest neighbour is infinity: halfway between 65504 and the next power of two. */
  private static final float OVERFLOW = 65520f;
  private static final float SMALLEST_NORMAL = 0x1p-14f;

  private Float16() {}

  /** To the nearest, ties to even; NaN stays NaN. */
  static short of(float value) {
    int sign = Float.floatToRawIntBits(value) >>> 16 & 0x8000;
    float magnitude = Math.abs(value);
    if (Float.isNaN(value)) {
      return (short) (sign | 0x7e00);
    }
    if (magnitude >= OVERFLOW) {
      return (short) (sign | 0x7c00);
    }
    if (magnitude < SMALLEST_NORMAL) {
      return (short) (sign | (int) Math.rint(magnitude * 0x1p24f)); // exact before rint; 1024 steps are the smallest normal
    }
    int bits = Float.floatToRawIntBits(magnitude) - (112 << 23);
    return (short) (sign | bits + 0xfff + (bits >>> 13 & 1) >>> 13);
  }
}
