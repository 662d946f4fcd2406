// Vectors of 4 floats in portable C++: runs everywhere, and is the plain statement of what the other two headers do.
#pragma once

#include <cmath>
#include <cstdint>
#include <utility>

#include "simd/bf16.h"
#include "simd/f16.h"

namespace g4::G4_ISA {

struct Mask {
  bool m[4];
};

struct V {
  static constexpr int kLanes = 4;
  float v[kLanes];

  template <class F>
  static V each(F f) { return {{f(0), f(1), f(2), f(3)}}; }

  static V zero() { return {}; }
  static V set(float x) { return {{x, x, x, x}}; }
  static V load(const float* p) { return {{p[0], p[1], p[2], p[3]}}; }
  static V load(const bf16* p) { return each([&](int i) { return to_float(p[i]); }); }
  static V load(const f16* p) { return each([&](int i) { return to_float(p[i]); }); }
  // The first n < kLanes elements; the other lanes are 0 and their memory is not touched.
  static V load(const float* p, int n) { return each([&](int i) { return i < n ? p[i] : 0.0f; }); }
  static V load(const bf16* p, int n) { return each([&](int i) { return i < n ? to_float(p[i]) : 0.0f; }); }
  void store(float* p) const { store(p, kLanes); }
  void store(bf16* p) const { store(p, kLanes); }
  void store(f16* p) const { for (int i = 0; i < kLanes; i++) p[i] = to_f16(v[i]); }
  void store(float* p, int n) const { for (int i = 0; i < n; i++) p[i] = v[i]; }
  void store(bf16* p, int n) const { for (int i = 0; i < n; i++) p[i] = to_bf16(v[i]); }
};

inline V operator+(V a, V b) { return V::each([&](int i) { return a.v[i] + b.v[i]; }); }
inline V operator-(V a, V b) { return V::each([&](int i) { return a.v[i] - b.v[i]; }); }
inline V operator*(V a, V b) { return V::each([&](int i) { return a.v[i] * b.v[i]; }); }
inline V operator/(V a, V b) { return V::each([&](int i) { return a.v[i] / b.v[i]; }); }
// Two roundings: this instruction set has no fused product, and emulating it would be far slower than it is worth.
inline V fma(V a, V b, V c) { return V::each([&](int i) { return a.v[i] * b.v[i] + c.v[i]; }); }
inline V max(V a, V b) { return V::each([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; }); }
inline V min(V a, V b) { return V::each([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; }); }
inline V sqrt(V a) { return V::each([&](int i) { return std::sqrt(a.v[i]); }); }
inline V round(V a) { return V::each([&](int i) { return std::nearbyint(a.v[i]); }); }
inline V scale_by_power_of_two(V a, V n) {
  // Clamped: the caller discards lanes outside float's range, but an int conversion of them would be undefined.
  return V::each([&](int i) { return std::ldexp(a.v[i], int(n.v[i] > -300.0f ? (n.v[i] < 300.0f ? n.v[i] : 300.0f) : -300.0f)); });
}
inline Mask less(V a, V b) { return {{a.v[0] < b.v[0], a.v[1] < b.v[1], a.v[2] < b.v[2], a.v[3] < b.v[3]}}; }
inline V select(Mask m, V yes, V no) { return V::each([&](int i) { return m.m[i] ? yes.v[i] : no.v[i]; }); }

// bf16 pairs: a lane is a 32-bit word that holds an even element (low half) and the odd one after it (high half).
inline V even_of_pairs(V words) { return V::each([&](int i) { return float_of_bits(bits_of(words.v[i]) << 16); }); }
inline V odd_of_pairs(V words) { return V::each([&](int i) { return float_of_bits(bits_of(words.v[i]) & 0xffff0000u); }); }
// Both must be representable in bf16 already.
inline V join_pairs(V even, V odd) {
  return V::each([&](int i) { return float_of_bits(bits_of(even.v[i]) >> 16 | bits_of(odd.v[i])); });
}
inline V round_to_bf16(V a) { return V::each([&](int i) { return to_float(to_bf16(a.v[i])); }); }
inline V swap_neighbours(V a) { return {{a.v[1], a.v[0], a.v[3], a.v[2]}}; }

// rows[i] lane j <- rows[j] lane i.
inline void transpose(V (&rows)[4]) {
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < i; j++) std::swap(rows[i].v[j], rows[j].v[i]);
}

inline float first(V a) { return a.v[0]; }
inline float reduce_add(V a) { return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]); }
inline float reduce_max(V a) {
  const V m = max(a, {{a.v[2], a.v[3], a.v[2], a.v[3]}});
  return m.v[0] > m.v[1] ? m.v[0] : m.v[1];
}

}  // namespace g4::G4_ISA

#include "simd/math.h"
