// Log-probability, entropy and log-sum-exp of rows of logits, and their gradient.
//
//   log p(target), H, lse of softmax(logits / T): row_statistics.h
//   d logits_v = (1 / T) (d_logprob (1[v = target] - p_v) - d_entropy p_v (log p_v + H))
//
// logits f32 [rows, vocab]. Forward reads a row once; backward reads and writes it once.
#pragma once

#include "kernels/row_statistics.h"

namespace g4::G4_ISA {

// x_v <- e^t (c0 + c1 t) / sum with t = x_v / T - shift: the part of the gradient that every column has.
inline void gradient_columns(float* x, int64_t n, float inv_temperature, float shift, float inv_sum, float c0, float c1) {
  const V scale = V::set(inv_temperature), minus = V::set(-shift), norm = V::set(inv_sum);
  const V a = V::set(c0), b = V::set(c1), lowest = V::set(kLowestExponent);
  for_vectors(n, [&](int64_t i, auto lanes) {
    const V t = fma(load(x + i, lanes), scale, minus);
    store(exp(t) * norm * fma(b, max(t, lowest), a), x + i, lanes);
  });
}

// One row's gradient from its upstream (d_logprob, d_entropy). log p = t - log_sum for t = x / T - shift.
inline void gradient_row(float* x, int64_t vocab, int32_t target, float inv_temperature, double shift, double log_sum, double entropy, double d_logprob, double d_entropy) {
  const double inv = double(inv_temperature);
  gradient_columns(x, vocab, inv_temperature, float(shift), float(std::exp(-log_sum)), float(inv * (-d_logprob - d_entropy * (entropy - log_sum))), float(-inv * d_entropy));
  x[target] += float(inv * d_logprob);
}

inline int logprob(g4_stream handle, g4_ptr logprob, g4_ptr entropy, g4_ptr lse, g4_cptr logits, g4_cptr targets_i32, int64_t rows, int64_t vocab, float inv_temperature) {
  const float* x = static_cast<const float*>(logits);
  const int32_t* targets = static_cast<const int32_t*>(targets_i32);
  return for_row_statistics(stream_of(handle), x, rows, vocab, inv_temperature, 0, [&](int64_t i, const ChunkStatistics* chunks, int) {
    const RowStatistics row = combine(chunks, chunks_of(vocab));
    if (logprob != nullptr) static_cast<float*>(logprob)[i] = float(row.log_probability(x[i * vocab + targets[i]], inv_temperature));
    if (entropy != nullptr) static_cast<float*>(entropy)[i] = float(row.entropy);
    if (lse != nullptr) static_cast<float*>(lse)[i] = float(row.lse());
  });
}

inline int logprob_backward(g4_stream handle, g4_ptr logits, g4_cptr d_logprob, g4_cptr d_entropy, g4_cptr lse, g4_cptr entropy, g4_cptr targets_i32, int64_t rows, int64_t vocab, float inv_temperature) {
  const float* d_log = static_cast<const float*>(d_logprob);
  const float* d_ent = static_cast<const float*>(d_entropy);
  const float* row_lse = static_cast<const float*>(lse);
  const float* row_entropy = static_cast<const float*>(entropy);
  for_rows(stream_of(handle), rows, double(vocab) * 0.5 + 50, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; i++) {
      const bool with_entropy = d_ent != nullptr;
      gradient_row(static_cast<float*>(logits) + i * vocab, vocab, static_cast<const int32_t*>(targets_i32)[i], inv_temperature, row_lse[i], 0.0,
                   with_entropy ? row_entropy[i] : 0.0, d_log[i], with_entropy ? d_ent[i] : 0.0);
    }
  });
  return G4_OK;
}

}  // namespace g4::G4_ISA
