// Statistics of one row of logits x [vocab], shared by log-probs, the policy loss and sampling: same row, same bits.
//
//   t_v = (x_v - max x) / T,  S = sum e^(t_v),  lse = max x / T + log S
//   log p_v = t_v - log S,  H = -sum p_v log p_v = log S - sum e^(t_v) t_v / S
//
// x - max x is exact where it matters, so a row that is shifted by thousands loses nothing. A row is cut into chunks of 2048
// columns, each with its own (max, sum e^t, sum e^t t): two passes over 8 KiB that stay in the first-level cache, so a row is
// read from memory once. The chunks are combined in order, in double. Nothing depends on who computed a chunk, so rows are spread over threads, and chunks too when rows are few.
#pragma once

#include <cmath>
#include <limits>

#include "kernels/launch.h"

namespace g4::G4_ISA {

constexpr int64_t kChunk = 2048;

struct ChunkStatistics {
  float max;  // of x
  float sum;  // of e^t
  float dot;  // of e^t t
};

// Beyond this the exponential is 0 whatever the exact argument; it keeps 0 * -infinity out of the sums.
constexpr float kLowestExponent = -200.0f;

// Largest logit; NaN is passed over, -infinity if there is nothing else.
inline float highest(const float* x, int64_t n) {
  V top[4];
  for (V& t : top) t = V::set(-std::numeric_limits<float>::infinity());
  int64_t i = 0;
  for (; i + 4 * V::kLanes <= n; i += 4 * V::kLanes)
    for (int u = 0; u < 4; u++) top[u] = max(V::load(x + i + u * V::kLanes), top[u]);
  for (; i + V::kLanes <= n; i += V::kLanes) top[0] = max(V::load(x + i), top[0]);
  float result = reduce_max(max(max(top[0], top[1]), max(top[2], top[3])));
  for (; i < n; i++) result = x[i] > result ? x[i] : result;
  return result;
}

inline ChunkStatistics chunk_statistics(const float* x, int64_t n, float inv_temperature) {
  const float m = highest(x, n);
  if (m == -std::numeric_limits<float>::infinity()) {
    // Nothing but -infinity (a masked range, mass 0) or NaN, which has to show.
    float bad = 0.0f;
    for (int64_t i = 0; i < n; i++) bad = x[i] == x[i] ? bad : x[i];
    return {m, bad, bad};
  }
  const V scale = V::set(inv_temperature);
  const V top = V::set(m);
  const V lowest = V::set(kLowestExponent);
  V sum[2] = {V::zero(), V::zero()};
  V dot[2] = {V::zero(), V::zero()};
  int64_t i = 0;
  for (; i + 2 * V::kLanes <= n; i += 2 * V::kLanes) {
    for (int u = 0; u < 2; u++) {
      const V t = (V::load(x + i + u * V::kLanes) - top) * scale;
      const V e = exp(t);
      sum[u] = sum[u] + e;
      dot[u] = fma(e, max(t, lowest), dot[u]);
    }
  }
  for (; i < n; i += V::kLanes) {
    // Lanes past the end hold -infinity, of which the exponential is 0.
    alignas(64) float rest[V::kLanes];
    for (int64_t j = 0; j < V::kLanes; j++) rest[j] = i + j < n ? x[i + j] : -std::numeric_limits<float>::infinity();
    const V t = (V::load(rest) - top) * scale;
    const V e = exp(t);
    sum[0] = sum[0] + e;
    dot[0] = fma(e, max(t, lowest), dot[0]);
  }
  return {m, reduce_add(sum[0] + sum[1]), reduce_add(dot[0] + dot[1])};
}

struct RowStatistics {
  float max;
  double sum;  // S
  double log_sum;
  double entropy;

  double log_probability(float x, float inv_temperature) const { return (double(x) - double(max)) * double(inv_temperature) - log_sum; }
  double lse(float inv_temperature) const { return double(max) * double(inv_temperature) + log_sum; }
};

inline int64_t chunks_of(int64_t vocab) { return (vocab + kChunk - 1) / kChunk; }

inline RowStatistics combine(const ChunkStatistics* chunks, int64_t count, float inv_temperature) {
  float top = chunks[0].max;
  for (int64_t c = 1; c < count; c++) top = chunks[c].max > top ? chunks[c].max : top;
  double sum = 0, dot = 0;
  for (int64_t c = 0; c < count; c++) {
    const double below = (double(chunks[c].max) - double(top)) * double(inv_temperature);
    if (below < kLowestExponent && chunks[c].sum == chunks[c].sum) continue;
    const double weight = std::exp(below);
    sum += weight * double(chunks[c].sum);
    dot += weight * (double(chunks[c].dot) + below * double(chunks[c].sum));
  }
  const double log_sum = std::log(sum);
  return {top, sum, log_sum, log_sum - dot / sum};
}

inline void row_chunks(ChunkStatistics* out, const float* x, int64_t vocab, float inv_temperature) {
  for (int64_t c = 0; c < chunks_of(vocab); c++)
    out[c] = chunk_statistics(x + c * kChunk, std::min(kChunk, vocab - c * kChunk), inv_temperature);
}

// body(row, chunks of the row, thread) for every row; extra_ns is the time that the body itself takes for one column.
// Returns G4_UNSUPPORTED for a vocabulary whose chunks do not fit the scratch (some hundred million columns). The first
// chunks_of(vocab) statistics of a thread's scratch are taken; scratch_after tells where the rest begins.
inline int64_t scratch_after(int64_t vocab) { return (chunks_of(vocab) * int64_t(sizeof(ChunkStatistics)) + 63) / 64 * 64; }

template <class Body>
inline int for_row_statistics(Stream& stream, const float* logits, int64_t rows, int64_t vocab, float inv_temperature, double extra_ns, Body&& body) {
  constexpr double kColumnNs = 0.4;
  const int64_t chunks = chunks_of(vocab);
  if (scratch_after(vocab) > int64_t(Stream::kScratchBytes)) return G4_UNSUPPORTED;
  const bool few = rows < 2 * int64_t(stream.threads()) && stream.threads() > 1 && double(rows * vocab) * kColumnNs > kWorthWakingNs &&
                   size_t(rows * chunks) * sizeof(ChunkStatistics) <= Stream::kSharedScratchBytes;
  if (!few) {
    for_rows(stream, rows, double(vocab) * (kColumnNs + extra_ns) + 100, [&](int64_t begin, int64_t end, int thread) {
      ChunkStatistics* own = reinterpret_cast<ChunkStatistics*>(stream.scratch(thread));
      for (int64_t i = begin; i < end; i++) {
        row_chunks(own, logits + i * vocab, vocab, inv_temperature);
        body(i, own, thread);
      }
    });
    return G4_OK;
  }
  ChunkStatistics* all = reinterpret_cast<ChunkStatistics*>(stream.shared_scratch());
  stream.parallel_for(rows * chunks, [&](int64_t i, int) {
    const int64_t column = i % chunks * kChunk;
    all[i] = chunk_statistics(logits + i / chunks * vocab + column, std::min(kChunk, vocab - column), inv_temperature);
  });
  for_tasks(stream, rows, double(vocab) * extra_ns + 100, [&](int64_t i, int thread) { body(i, all + i * chunks, thread); });
  return G4_OK;
}

}  // namespace g4::G4_ISA
