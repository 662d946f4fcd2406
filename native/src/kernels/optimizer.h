// AdamW (Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2017) and the gradient's norm.
//
//   p *= 1 - lr decay;  g = grad grad_scale;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
//   p -= lr (m / bc1) / (sqrt(v / bc2) + eps);  weight = p in its storage type
//
// One pass: per element 16 bytes read (p, m, v, grad), 12 written and the weight's 4 or 2: bound by memory. Packed bf16
// weights are written in groups of 64, the two rows of a panel that make 32 pairs.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "grpo4j/ops.h"
#include "kernels/elementwise.h"
#include "kernels/pack.h"

namespace g4::G4_ISA {

struct AdamW {
  V keep, decay1, gain1, decay2, gain2, correction1, correction2, step, epsilon, scale;

  explicit AdamW(const g4_adamw_settings& s)
      : keep(V::set(1.0f - s.learning_rate * s.weight_decay)),
        decay1(V::set(float(s.beta1))),
        gain1(V::set(float(1.0 - s.beta1))),
        decay2(V::set(float(s.beta2))),
        gain2(V::set(float(1.0 - s.beta2))),
        correction1(V::set(1.0f / s.bias_correction1)),
        correction2(V::set(1.0f / s.bias_correction2)),
        step(V::set(s.learning_rate)),
        epsilon(V::set(s.epsilon)),
        scale(V::set(s.grad_scale)) {}

  V update(V p, V& m, V& v, V grad) const {
    const V g = grad * scale;
    m = fma(gain1, g, decay1 * m);
    v = fma(gain2 * g, g, decay2 * v);
    const V denominator = sqrt(v * correction2) + epsilon;
    return p * keep - step * (m * correction1) / denominator;
  }

  V apply(float* p, float* m, float* v, const float* grad) const {
    V m1 = V::load(m), v1 = V::load(v);
    const V p1 = update(V::load(p), m1, v1, V::load(grad));
    p1.store(p);
    m1.store(m);
    v1.store(v);
    return p1;
  }
  V apply(float* p, float* m, float* v, const float* grad, int n) const {
    V m1 = V::load(m, n), v1 = V::load(v, n);
    const V p1 = update(V::load(p, n), m1, v1, V::load(grad, n));
    p1.store(p, n);
    m1.store(m, n);
    v1.store(v, n);
    return p1;
  }
};

inline int adamw(g4_stream stream, g4_ptr weight, int weight_dtype, int packed, g4_ptr master, g4_ptr m_f32, g4_ptr v_f32, g4_cptr grad_f32,
                 int64_t count, const g4_adamw_settings* settings) {
  if (weight_dtype != G4_F32 && weight_dtype != G4_BF16 && !(weight_dtype == G4_F16 && packed == 0)) return G4_UNSUPPORTED;
  const AdamW step(*settings);
  float* p = static_cast<float*>(master);
  float* m = static_cast<float*>(m_f32);
  float* v = static_cast<float*>(v_f32);
  const float* grad = static_cast<const float*>(grad_f32);
  float* plain = weight_dtype == G4_F32 && weight != master ? static_cast<float*>(weight) : nullptr;
  bf16* half = weight_dtype == G4_BF16 ? static_cast<bf16*>(weight) : nullptr;
  f16* ieee_half = weight_dtype == G4_F16 ? static_cast<f16*>(weight) : nullptr;
  // Pieces are multiples of 64 elements, and so is a packed matrix: no group of pairs is cut.
  for_pieces(stream_of(stream), count, [&](int64_t begin, int64_t end) {
    if (half != nullptr && packed != 0) {
      for (int64_t i = begin; i < end; i += 2 * kPanel)
        for (int64_t lane = i; lane < i + kPanel; lane += V::kLanes) {
          const V even_row = step.apply(p + lane, m + lane, v + lane, grad + lane);
          const int64_t next = lane + kPanel;
          const V odd_row = step.apply(p + next, m + next, v + next, grad + next);
          join_pairs(round_to_bf16(even_row), round_to_bf16(odd_row)).store(reinterpret_cast<float*>(half + i + 2 * (lane - i)));
        }
      return;
    }
    int64_t i = begin;
    for (; i + V::kLanes <= end; i += V::kLanes) {
      const V updated = step.apply(p + i, m + i, v + i, grad + i);
      if (plain != nullptr) updated.store(plain + i);
      if (half != nullptr) updated.store(half + i);
      if (ieee_half != nullptr) updated.store(ieee_half + i);
    }
    if (i < end) {
      const int rest = int(end - i);
      const V updated = step.apply(p + i, m + i, v + i, grad + i, rest);
      if (plain != nullptr) updated.store(plain + i, rest);
      if (half != nullptr) updated.store(half + i, rest);
      if (ieee_half != nullptr)
        for (int j = 0; j < rest; j++) ieee_half[i + j] = to_f16(p[i + j]);
    }
  });
  return G4_OK;
}

// Sixteen sums in double, element i to sum i % 16, then folded: the same order on every machine. Squares of floats are
// exact in double, so neither overflow nor underflow hides a gradient, and a sum that is not finite tells of an element that is not.
inline void sum_chunk(const float* grad, int64_t count, double* out) {
  constexpr int kSums = 16;
  using Eight = double __attribute__((vector_size(64)));
  using EightFloats = float __attribute__((vector_size(32)));
  Eight vector_sums[2] = {};
  int64_t i = 0;
  for (; i + kSums <= count; i += kSums) {
    EightFloats x[2];
    std::memcpy(x, grad + i, sizeof x);
    for (int half = 0; half < 2; half++) {
      const Eight wide = __builtin_convertvector(x[half], Eight);
      vector_sums[half] += wide * wide;
    }
  }
  double sums[kSums];
  std::memcpy(sums, vector_sums, sizeof sums);
  for (int j = 0; i + j < count; j++) sums[j] += double(grad[i + j]) * double(grad[i + j]);
  for (int half = kSums / 2; half > 0; half /= 2)
    for (int j = 0; j < half; j++) sums[j] += sums[j + half];
  out[0] = sums[0];
  out[1] = 0;
  if (std::isfinite(sums[0])) return;
  for (i = 0; i < count; i++) out[1] += std::isfinite(grad[i]) ? 0 : 1;
}

inline int sum_squares(g4_stream stream, g4_ptr out_f64, g4_cptr grad_f32, g4_ptr, int64_t count) {
  Stream& s = stream_of(stream);
  const float* grad = static_cast<const float*>(grad_f32);
  double* out = static_cast<double*>(out_f64);
  double* partial = reinterpret_cast<double*>(s.shared_scratch());
  constexpr int64_t kChunk = int64_t(1) << 16;
  // As many chunks at a time as have room for their two partial sums.
  constexpr int64_t kRound = int64_t(Stream::kSharedScratchBytes / (2 * sizeof(double))) * kChunk;
  for (int64_t start = 0; start < count; start += kRound) {
    const int64_t length = std::min(kRound, count - start);
    const int64_t chunks = (length + kChunk - 1) / kChunk;
    s.parallel_for(chunks, [&](int64_t index, int) {
      sum_chunk(grad + start + index * kChunk, std::min(kChunk, length - index * kChunk), partial + 2 * index);
    });
    for (int64_t i = 0; i < chunks; i++) {
      out[0] += partial[2 * i];
      out[1] += partial[2 * i + 1];
    }
  }
  return G4_OK;
}

}  // namespace g4::G4_ISA
