// Log-probability, entropy and log-sum-exp of rows of logits, and their gradient.
//
//   log p(target), H, lse of softmax(logits / T): row_statistics.h
//   d logits_v = (1 / T) (d_logprob (1[v = target] - p_v) - d_entropy p_v (log p_v + H))
//
// logits f32 [rows, vocab]. Forward reads a row once. Backward finds the row's statistics again rather than
// take the rounded lse, of which half an ulp is a relative error of 2e-6 in every p at lse = 50; it writes the row while it is in the cache.
#pragma once

#include "kernels/row_statistics.h"

namespace g4::G4_ISA {

// x_v <- e^t (c0 + c1 t) norm with t = (x_v - shift) / T: the part of the gradient that every column has.
struct ColumnGradient {
  float shift;
  float norm;
  float c0;
  float c1;

  void apply(float* x, int64_t n, float inv_temperature) const {
    const V scale = V::set(inv_temperature), lowest = V::set(kLowestExponent);
    const V by = V::set(shift), factor = V::set(norm), a = V::set(c0), b = V::set(c1);
    for_vectors(n, [&](int64_t i, auto lanes) {
      const V t = (load(x + i, lanes) - by) * scale;
      store(exp(t) * factor * fma(b, max(t, lowest), a), x + i, lanes);
    });
  }
};

// One row's gradient from its upstream (d_logprob, d_entropy). log p = t - log S with the statistics' own t.
inline void gradient_row(float* x, int64_t vocab, int32_t target, float inv_temperature, const RowStatistics& row, double d_logprob, double d_entropy) {
  const double inv = inv_temperature;
  const ColumnGradient gradient{row.max, float(1.0 / row.sum), float(inv * (-d_logprob - d_entropy * (row.entropy - row.log_sum))), float(-inv * d_entropy)};
  gradient.apply(x, vocab, inv_temperature);
  x[target] += float(inv * d_logprob);
}

inline int logprob(g4_stream handle, g4_ptr logprob, g4_ptr entropy, g4_ptr lse, g4_cptr logits, g4_cptr targets_i32, int64_t rows, int64_t vocab, float inv_temperature) {
  const float* x = static_cast<const float*>(logits);
  const int32_t* targets = static_cast<const int32_t*>(targets_i32);
  return for_row_statistics(stream_of(handle), x, rows, vocab, inv_temperature, 0, [&](int64_t i, const ChunkStatistics* chunks, int) {
    const RowStatistics row = combine(chunks, chunks_of(vocab), inv_temperature);
    if (logprob != nullptr) static_cast<float*>(logprob)[i] = float(row.log_probability(x[i * vocab + targets[i]], inv_temperature));
    if (entropy != nullptr) static_cast<float*>(entropy)[i] = float(row.entropy);
    if (lse != nullptr) static_cast<float*>(lse)[i] = float(row.lse(inv_temperature));
  });
}

inline int logprob_backward(g4_stream handle, g4_ptr logits, g4_cptr d_logprob, g4_cptr d_entropy, g4_cptr targets_i32, int64_t rows, int64_t vocab, float inv_temperature) {
  float* x = static_cast<float*>(logits);
  const float* d_log = static_cast<const float*>(d_logprob);
  const float* d_ent = static_cast<const float*>(d_entropy);
  const int32_t* targets = static_cast<const int32_t*>(targets_i32);
  return for_row_statistics(stream_of(handle), x, rows, vocab, inv_temperature, 0.5, [&](int64_t i, const ChunkStatistics* chunks, int) {
    gradient_row(x + i * vocab, vocab, targets[i], inv_temperature, combine(chunks, chunks_of(vocab), inv_temperature), d_log[i],
                 d_ent != nullptr ? d_ent[i] : 0.0);
  });
}

}  // namespace g4::G4_ISA
