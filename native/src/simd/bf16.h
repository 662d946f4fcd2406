// bfloat16: the upper half of a float.
#pragma once

#include <cstdint>
#include <cstring>

namespace g4 {

inline uint32_t bits_of(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

inline float float_of_bits(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

struct bf16 {
  uint16_t bits;
};

inline float to_float(float x) { return x; }

inline float to_float(bf16 x) { return float_of_bits(uint32_t(x.bits) << 16); }

// Round to nearest even; a NaN stays a (quiet) NaN.
inline bf16 to_bf16(float x) {
  const uint32_t bits = bits_of(x);
  if (x != x) return {uint16_t((bits | 0x400000) >> 16)};
  return {uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}

// T is float or bf16.
template <class T>
inline T from_float(float x);
template <>
inline float from_float<float>(float x) { return x; }
template <>
inline bf16 from_float<bf16>(float x) { return to_bf16(x); }

}  // namespace g4
