// Exact KL divergence of two rows of logits over the vocabulary, and its gradient by the first row's.
//
//   KL = sum_v p_v (log p_v - log r_v),  p = softmax(x / T),  r = softmax(y / T)
//      = sum_v e^(t_v) (t_v - u_v) / S - log S + log S'    t, S of x and u, S' of y as in row_statistics.h
//   d KL / d x_v = (1 / T) p_v (log p_v - log r_v - KL)
//
// x, y f32 [rows, vocab]. Both rows are read for their statistics and again, chunk by chunk, for the sum, whose chunks are added in order
// and in double; equal rows give exactly 0. Backward finds all of it again and writes the gradient over y while it is in the cache.
#pragma once

#include "kernels/row_statistics.h"

namespace g4::G4_ISA {

// sum of e^t (t - u) over some columns; t and u are relative to their rows' maxima.
inline float kl_chunk(const float* x, const float* y, int64_t n, float x_max, float y_max, float inv_temperature) {
  const V scale = V::set(inv_temperature), lowest = V::set(kLowestExponent);
  const V x_top = V::set(x_max), y_top = V::set(y_max);
  V sum = V::zero();
  const auto add = [&](V a, V b) {
    const V t = (a - x_top) * scale, u = (b - y_top) * scale;
    sum = fma(exp(t), max(t, lowest) - max(u, lowest), sum);
  };
  int64_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) add(V::load(x + i), V::load(y + i));
  if (i < n) {
    // Lanes past the end hold -infinity, of which the exponential is 0.
    alignas(64) float a[V::kLanes], b[V::kLanes];
    for (int64_t j = 0; j < V::kLanes; j++) {
      a[j] = i + j < n ? x[i + j] : -std::numeric_limits<float>::infinity();
      b[j] = i + j < n ? y[i + j] : 0.0f;
    }
    add(V::load(a), V::load(b));
  }
  return reduce_add(sum);
}

inline double row_kl(const float* x, const float* y, int64_t vocab, const RowStatistics& p, const RowStatistics& r, float inv_temperature) {
  double sum = 0;
  for (int64_t c = 0; c < vocab; c += kChunk) sum += double(kl_chunk(x + c, y + c, std::min(kChunk, vocab - c), p.max, r.max, inv_temperature));
  const double kl = sum / p.sum - p.log_sum + r.log_sum;
  return kl < 0 ? 0 : kl;  // rounding; NaN stays
}

// body(row, statistics of x, statistics of y) for every row.
template <class Body>
inline int for_row_pairs(Stream& stream, const float* x, const float* y, int64_t rows, int64_t vocab, float inv_temperature, double extra_ns, Body&& body) {
  if (2 * scratch_after(vocab) > int64_t(Stream::kScratchBytes)) return G4_UNSUPPORTED;
  return for_row_statistics(stream, x, rows, vocab, inv_temperature, extra_ns, [&](int64_t i, const ChunkStatistics* chunks, int thread) {
    ChunkStatistics* other = reinterpret_cast<ChunkStatistics*>(static_cast<char*>(static_cast<void*>(stream.scratch(thread))) + scratch_after(vocab));
    row_chunks(other, y + i * vocab, vocab, inv_temperature);
    body(i, combine(chunks, chunks_of(vocab), inv_temperature), combine(other, chunks_of(vocab), inv_temperature));
  });
}

inline int kl(g4_stream handle, g4_ptr kl, g4_cptr logits, g4_cptr ref_logits, int64_t rows, int64_t vocab, float inv_temperature) {
  const float* x = static_cast<const float*>(logits);
  const float* y = static_cast<const float*>(ref_logits);
  return for_row_pairs(stream_of(handle), x, y, rows, vocab, inv_temperature, 1.0, [&](int64_t i, const RowStatistics& p, const RowStatistics& r) {
    static_cast<float*>(kl)[i] = float(row_kl(x + i * vocab, y + i * vocab, vocab, p, r, inv_temperature));
  });
}

inline int kl_backward(g4_stream handle, g4_ptr ref_logits, g4_cptr logits, g4_cptr d_kl, int64_t rows, int64_t vocab, float inv_temperature) {
  const float* x = static_cast<const float*>(logits);
  float* y = static_cast<float*>(ref_logits);
  const float* d = static_cast<const float*>(d_kl);
  return for_row_pairs(stream_of(handle), x, y, rows, vocab, inv_temperature, 2.0, [&](int64_t i, const RowStatistics& p, const RowStatistics& r) {
    const float* from = x + i * vocab;
    float* to = y + i * vocab;
    if (d[i] == 0.0f) {
      std::fill(to, to + vocab, 0.0f);
      return;
    }
    const double kl = row_kl(from, to, vocab, p, r, inv_temperature);
    const V scale = V::set(inv_temperature), lowest = V::set(kLowestExponent);
    const V x_top = V::set(p.max), y_top = V::set(r.max);
    const V factor = V::set(float(double(d[i]) * double(inv_temperature) / p.sum)), shift = V::set(float(p.log_sum - r.log_sum + kl));
    for_vectors(vocab, [&](int64_t v, auto lanes) {
      const V t = (load(from + v, lanes) - x_top) * scale, u = (load(to + v, lanes) - y_top) * scale;
      store(exp(t) * factor * ((max(t, lowest) - max(u, lowest)) - shift), to + v, lanes);
    });
  });
}

}  // namespace g4::G4_ISA
