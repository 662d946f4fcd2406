// Vectors of 16 floats (AVX-512 F, BW, VL, DQ).
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "simd/bf16.h"
#include "simd/f16.h"

namespace g4::G4_ISA {

using Mask = __mmask16;

struct V {
  static constexpr int kLanes = 16;
  __m512 v;

  static V zero() { return {_mm512_setzero_ps()}; }
  static V set(float x) { return {_mm512_set1_ps(x)}; }
  static V load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static V load(const bf16* p) {
    const __m512i words = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(words, 16))};
  }
  static V load(const f16* p) { return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))}; }
  // The first n < kLanes elements; the other lanes are 0 and their memory is not touched.
  static V load(const float* p, int n) { return {_mm512_maskz_loadu_ps(Mask((1u << n) - 1), p)}; }
  static V load(const bf16* p, int n) {
    const __m512i words = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(Mask((1u << n) - 1), p));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(words, 16))};
  }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  void store(float* p, int n) const { _mm512_mask_storeu_ps(p, Mask((1u << n) - 1), v); }
  void store(bf16* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), rounded()); }
  void store(f16* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT)); }
  void store(bf16* p, int n) const { _mm256_mask_storeu_epi16(p, Mask((1u << n) - 1), rounded()); }

  // Round to nearest even; a NaN stays a (quiet) NaN.
  __m256i rounded() const {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i up = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const Mask nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_mask_blend_epi32(nan, up, quiet), 16));
  }
};

inline V operator+(V a, V b) { return {_mm512_add_ps(a.v, b.v)}; }
inline V operator-(V a, V b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline V operator*(V a, V b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline V operator/(V a, V b) { return {_mm512_div_ps(a.v, b.v)}; }
inline V fma(V a, V b, V c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }  // a * b + c, rounded once
inline V max(V a, V b) { return {_mm512_max_ps(a.v, b.v)}; }
inline V min(V a, V b) { return {_mm512_min_ps(a.v, b.v)}; }
inline V sqrt(V a) { return {_mm512_sqrt_ps(a.v)}; }
inline V round(V a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
inline V scale_by_power_of_two(V a, V n) { return {_mm512_scalef_ps(a.v, n.v)}; }
inline Mask less(V a, V b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ); }
inline V select(Mask m, V yes, V no) { return {_mm512_mask_blend_ps(m, no.v, yes.v)}; }

// bf16 pairs: a lane is a 32-bit word that holds an even element (low half) and the odd one after it (high half).
inline V even_of_pairs(V words) { return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(words.v), 16))}; }
inline V odd_of_pairs(V words) {
  return {_mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(words.v), _mm512_set1_epi32(int(0xffff0000u))))};
}
// Both must be representable in bf16 already.
inline V join_pairs(V even, V odd) {
  return {_mm512_castsi512_ps(_mm512_or_si512(_mm512_srli_epi32(_mm512_castps_si512(even.v), 16), _mm512_castps_si512(odd.v)))};
}
inline V round_to_bf16(V a) { return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(a.rounded()), 16))}; }
inline V swap_neighbours(V a) { return {_mm512_permute_ps(a.v, 0xb1)}; }  // lanes 1 0 3 2 5 4 ...
#ifdef G4_HAS_DPBF16
// A test that runs where the instruction does not exist puts a function of the same meaning here.
#ifndef G4_DPBF16_PS
#define G4_DPBF16_PS _mm512_dpbf16_ps
#endif
// acc + a.odd * b.odd, then + a.even * b.even: two fused products in this order.
inline V dot_pairs(V acc, V a, V b) { return {G4_DPBF16_PS(acc.v, (__m512bh)a.v, (__m512bh)b.v)}; }
#endif

// rows[i] lane j <- rows[j] lane i, by 2x2 blocks of 32-bit, then of 64-bit elements, then of 128-bit quarters.
inline void transpose(V (&rows)[16]) {
  __m512 t[16], u[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(rows[i].v, rows[i + 1].v);
    t[i + 1] = _mm512_unpackhi_ps(rows[i].v, rows[i + 1].v);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    const auto low = [](__m512 a, __m512 b) { return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b))); };
    const auto high = [](__m512 a, __m512 b) { return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b))); };
    u[i] = low(t[i], t[i + 2]);
    u[i + 1] = high(t[i], t[i + 2]);
    u[i + 2] = low(t[i + 1], t[i + 3]);
    u[i + 3] = high(t[i + 1], t[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    const __m512 a = _mm512_shuffle_f32x4(u[i], u[i + 4], 0x88);
    const __m512 b = _mm512_shuffle_f32x4(u[i + 8], u[i + 12], 0x88);
    const __m512 c = _mm512_shuffle_f32x4(u[i], u[i + 4], 0xdd);
    const __m512 d = _mm512_shuffle_f32x4(u[i + 8], u[i + 12], 0xdd);
    rows[i].v = _mm512_shuffle_f32x4(a, b, 0x88);
    rows[i + 4].v = _mm512_shuffle_f32x4(c, d, 0x88);
    rows[i + 8].v = _mm512_shuffle_f32x4(a, b, 0xdd);
    rows[i + 12].v = _mm512_shuffle_f32x4(c, d, 0xdd);
  }
}

inline float first(V a) { return _mm512_cvtss_f32(a.v); }

// Fixed order: halves are folded onto each other (16 -> 8 -> 4 -> 2 -> 1).
inline float reduce_add(V a) {
  const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  q = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}
inline float reduce_max(V a) { return _mm512_reduce_max_ps(a.v); }

}  // namespace g4::G4_ISA

#include "simd/math.h"
