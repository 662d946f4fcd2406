// IEEE half precision, a storage format of weight files only: converted on the way in and out, never computed in.
#pragma once

#include <cstdint>

#include "simd/bf16.h"

namespace g4 {

struct f16 {
  uint16_t bits;
};

inline float to_float(f16 x) {
  const uint32_t sign = uint32_t(x.bits & 0x8000) << 16;
  const uint32_t exponent = (x.bits >> 10) & 31;
  const uint32_t fraction = x.bits & 0x3ff;
  if (exponent == 31) return float_of_bits(sign | 0x7f800000 | (fraction != 0 ? 0x400000 : 0) | fraction << 13);
  if (exponent != 0) return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = float(fraction) * 0x1p-24f;  // zero or subnormal: exact
  return sign != 0 ? -magnitude : magnitude;
}

// Round to nearest even; beyond the largest half it is infinity, a NaN stays a (quiet) NaN.
inline f16 to_f16(float x) {
  const uint32_t bits = bits_of(x);
  const uint16_t sign = uint16_t(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return {uint16_t(sign | 0x7e00 | (magnitude >> 13 & 0x3ff))};
  if (magnitude >= 0x477ff000) return {uint16_t(sign | 0x7c00)};  // 65520 and above round to infinity
  if (magnitude < 0x38800000) {
    // Subnormal half: adding 0.5 leaves the multiple of 2^-24 in the low bits of the float, rounded by the adder.
    const float shifted = float_of_bits(magnitude) + 0.5f;
    return {uint16_t(sign | (bits_of(shifted) - 0x3f000000))};
  }
  const uint32_t odd = magnitude >> 13 & 1;
  return {uint16_t(sign | ((magnitude - 0x38000000 + 0xfff + odd) >> 13))};
}

template <>
inline f16 from_float<f16>(float x) { return to_f16(x); }

}  // namespace g4
