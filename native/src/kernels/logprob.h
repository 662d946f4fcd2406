// Log-probability, entropy and log-sum-exp of rows of logits, and their gradient.
//
//   log p(target), H, lse of softmax(logits / T): row_statistics.h
//   d logits_v = (1 / T) (d_logprob (1[v = target] - p_v) - d_entropy p_v (log p_v + H))
//
// logits f32 [rows, vocab]. Forward reads a row once; backward reads and writes it once.
#pragma once

#include "kernels/row_statistics.h"

namespace g4::G4_ISA {

// x_v <- e^t (c0 + c1 t) norm with t = (x_v - shift) / T + offset: the part of the gradient that every column has.
struct ColumnGradient {
  float shift;
  float offset;
  float norm;
  float c0;
  float c1;

  void apply(float* x, int64_t n, float inv_temperature) const {
    const V scale = V::set(inv_temperature), lowest = V::set(kLowestExponent);
    const V by = V::set(shift), to = V::set(offset), factor = V::set(norm), a = V::set(c0), b = V::set(c1);
    for_vectors(n, [&](int64_t i, auto lanes) {
      const V t = fma(load(x + i, lanes) - by, scale, to);
      store(exp(t) * factor * fma(b, max(t, lowest), a), x + i, lanes);
    });
  }
};

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

inline int logprob_backward(g4_stream handle, g4_ptr logits, g4_cptr d_logprob, g4_cptr d_entropy, g4_cptr lse, g4_cptr entropy, g4_cptr targets_i32, int64_t rows, int64_t vocab, float inv_temperature) {
  const float* d_log = static_cast<const float*>(d_logprob);
  const float* d_ent = static_cast<const float*>(d_entropy);
  const float* row_lse = static_cast<const float*>(lse);
  const float* row_entropy = static_cast<const float*>(entropy);
  const int32_t* targets = static_cast<const int32_t*>(targets_i32);
  for_rows(stream_of(handle), rows, double(vocab) * 0.5 + 50, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; i++) {
      // Here t is the log-probability itself.
      const double inv = inv_temperature;
      const double d_h = d_ent != nullptr ? d_ent[i] : 0.0;
      const double h = d_ent != nullptr ? row_entropy[i] : 0.0;
      const ColumnGradient gradient{0.0f, -row_lse[i], 1.0f, float(inv * (-double(d_log[i]) - d_h * h)), float(-inv * d_h)};
      float* row = static_cast<float*>(logits) + i * vocab;
      gradient.apply(row, vocab, inv_temperature);
      row[targets[i]] += float(inv * double(d_log[i]));
    }
  });
  return G4_OK;
}

}  // namespace g4::G4_ISA
