// The row routine that every attention kernel shares: a few query rows against one block of 32 keys.
//
//   s_j = (scale q) . k_j,  m' = max(m, max_j s_j),  p_j = e^(s_j - m'),  a = e^(m - m')
//   l = l a + sum_j p_j,  acc = acc a + sum_j p_j v_j,  at the end o = acc / l, lse = m + log l
//
// Online softmax (Milakov & Gimelshein 2018) by blocks of 32 absolute positions, the block of the paged KV cache. K of a block
// is transposed, [head_dim][32], so a lane is a key and a score is a chain of fused products over head_dim; in the product
// with V a lane is an element of the head and the chain runs over the keys.
//
// Both chains belong to one query row. Taking several rows at a time (heads of one group, neighbouring positions) only
// shares the loads of K and V, so a row has the same bits alone and in any shared-prefix group: prefill, decode and training agree.
// Keys that a row must not see never enter its sums: their scores become -infinity, their values are not read for it.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

#include "kernels/launch.h"

namespace g4::G4_ISA {

constexpr int kBlockKeys = 32;
constexpr int kBlockVectors = kBlockKeys / V::kLanes;
// Rows per pass, from the number of vector registers: 32 with AVX-512, 16 otherwise. Scores take rows x kBlockVectors sums;
// products with V take rows x columns sums, columns being vectors of one head.
constexpr int kScoreRows = V::kLanes == 16 ? 8 : V::kLanes == 8 ? 3 : 1;
constexpr int kSums = V::kLanes == 16 ? 16 : V::kLanes == 8 ? 12 : 8;
// Rows that stay in the first-level cache together with a block of K and V.
constexpr int kQueryRows = 32;

// f(std::integral_constant<int, n>) for 1 <= n <= Max.
template <int Max, class F>
inline void with_count(int n, F&& f) {
  if constexpr (Max > 1) {
    if (n < Max) return with_count<Max - 1>(n, f);
  }
  f(std::integral_constant<int, Max>{});
}

// The block of keys and the block of values that come next, fetched into the L2 cache while the present ones are at work: blocks of
// a paged cache lie anywhere, so the processor does not guess them. Keys are fetched during scores and values during their sums, since
// a core waits for few lines at a time. Null: nothing to fetch.
struct NextBlock {
  const char* keys = nullptr;
  const char* values = nullptr;
};

template <int64_t kBytes>
inline void fetch(const char* address) {
  for (int64_t line = 0; line < kBytes; line += 64) __builtin_prefetch(address + line, 0, 2);
}

// scores[r][j] = sum over d of q[r][d] keys[d][j], for R rows and 32 keys.
template <int R, class K>
inline void score_rows(float* scores, const float* q, int64_t q_stride, const K* keys, int64_t head_dim, const char* next_keys) {
  V sum[R][kBlockVectors];
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 8
    for (int c = 0; c < kBlockVectors; c++) sum[r][c] = V::zero();
  for (int64_t d = 0; d < head_dim; d++) {
    constexpr int64_t kRowBytes = kBlockKeys * int64_t(sizeof(K));
    if (next_keys != nullptr) fetch<kRowBytes>(next_keys + d * kRowBytes);
    V key[kBlockVectors];
#pragma GCC unroll 8
    for (int c = 0; c < kBlockVectors; c++) key[c] = V::load(keys + d * kBlockKeys + c * V::kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
      const V x = V::set(q[r * q_stride + d]);
#pragma GCC unroll 8
      for (int c = 0; c < kBlockVectors; c++) sum[r][c] = fma(x, key[c], sum[r][c]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 8
    for (int c = 0; c < kBlockVectors; c++) sum[r][c].store(scores + r * kBlockKeys + c * V::kLanes);
}

template <class K>
inline void scores(float* out, const float* q, int64_t q_stride, int rows, const K* keys, int64_t head_dim, const char* next_keys = nullptr) {
  for (int r = 0; r < rows; r += kScoreRows) {
    with_count<kScoreRows>(std::min(rows - r, kScoreRows), [&](auto count) {
      score_rows<decltype(count)::value>(out + r * kBlockKeys, q + r * q_stride, q_stride, keys, head_dim, r == 0 ? next_keys : nullptr);
    });
  }
}

// A matrix of coefficients in scratch: element (r, j) at p[r * row + j * step].
struct Coefficients {
  const float* p;
  int64_t row;
  int64_t step;
};

// acc[r][c] = acc[r][c] * scale[r] + sum over j of coefficient(r, j) x[j][c], for R rows and C vectors of columns, in order
// of j. Lanes tells how much of the last vector exists in x; acc is padded to whole vectors. next: rows like x's to fetch meanwhile.
template <int R, int C, class T, class Lanes>
inline void accumulate_tile(float* acc, int64_t acc_stride, const float* scale, Coefficients a, const T* x, int64_t x_stride, int steps, Lanes last,
                            const T* next) {
  V sum[R][C];
#pragma GCC unroll 8
  for (int r = 0; r < R; r++) {
    const V s = scale != nullptr ? V::set(scale[r]) : V::set(1.0f);
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) sum[r][c] = V::load(acc + r * acc_stride + c * V::kLanes) * s;
  }
  for (int j = 0; j < steps; j++) {
    if (next != nullptr) fetch<C * V::kLanes * int64_t(sizeof(T))>(reinterpret_cast<const char*>(next + j * x_stride));
    V row[C];
#pragma GCC unroll 8
    for (int c = 0; c + 1 < C; c++) row[c] = V::load(x + j * x_stride + c * V::kLanes);
    row[C - 1] = load(x + j * x_stride + (C - 1) * V::kLanes, last);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
      const V p = V::set(a.p[r * a.row + j * a.step]);
#pragma GCC unroll 8
      for (int c = 0; c < C; c++) sum[r][c] = fma(p, row[c], sum[r][c]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) sum[r][c].store(acc + r * acc_stride + c * V::kLanes);
}

// The same for any number of rows and columns.
template <class T>
inline void accumulate(float* acc, int64_t acc_stride, int rows, const float* scale, Coefficients a, const T* x, int64_t x_stride, int64_t columns, int steps,
                       const T* next = nullptr) {
  constexpr int kWidest = 4;
  for (int64_t c = 0; c < columns; c += kWidest * V::kLanes) {
    const int64_t left = columns - c;
    const int width = int(std::min<int64_t>(kWidest, (left + V::kLanes - 1) / V::kLanes));
    const int last = int(left - (width - 1) * V::kLanes);
    with_count<kWidest>(width, [&](auto vectors) {
      constexpr int C = decltype(vectors)::value;
      constexpr int R = kSums / C < 8 ? kSums / C : 8;
      for (int r = 0; r < rows; r += R) {
        with_count<R>(std::min(rows - r, R), [&](auto count) {
          const auto tile = [&](auto lanes) {
            accumulate_tile<decltype(count)::value, C>(acc + r * acc_stride + c, acc_stride, scale != nullptr ? scale + r : nullptr,
                                                       Coefficients{a.p + r * a.row, a.row, a.step}, x + c, x_stride, steps, lanes,
                                                       next != nullptr && r == 0 ? next + c : nullptr);
          };
          if (last >= V::kLanes) tile(AllLanes{});
          else tile(FirstLanes{last});
        });
      }
    });
  }
}

// Lane j of vector c of a block is key c * kLanes + j; keys from `seen` on become `hidden`.
inline V hide(V x, int c, int seen, V hidden) {
  alignas(64) static constexpr float kIndex[kBlockKeys] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                                       16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
  return select(less(V::load(kIndex + c * V::kLanes), V::set(float(seen))), x, hidden);
}

// The query rows of one kv head are numbered position * group + head in the group, so that rows beside each other see nearly
// the same keys. Counted up rather than divided: a division costs as much as a short row.
struct GroupRow {
  int64_t position;
  int64_t head;

  GroupRow(int64_t row, int64_t group) : position(row / group), head(row % group) {}
  void next(int64_t group) {
    if (++head == group) head = 0, position++;
  }
};

// Values of one block of keys: rows `stride` elements apart.
template <class T>
struct ValueRows {
  const T* first;
  int64_t stride;
};

struct RowRange {
  int first, end;
  int count() const { return end - first; }
};

// Up to kQueryRows query rows on their way through the keys. Rows that go together are ordered by position.
struct AttentionTile {
  float* q;      // [kQueryRows][head_dim], scaled
  float* acc;    // [kQueryRows][padded(head_dim)]
  float* p;      // [kQueryRows][kBlockKeys]
  float max[kQueryRows];
  float sum[kQueryRows];
  float rescale[kQueryRows];
  int64_t visible[kQueryRows];  // number of keys that the row sees, at least 1
  int rows = 0;

  static int64_t floats(int64_t head_dim) { return kQueryRows * (padded(head_dim) * 2 + kBlockKeys); }

  AttentionTile(float* scratch, int64_t head_dim)
      : q(scratch), acc(q + kQueryRows * padded(head_dim)), p(acc + kQueryRows * padded(head_dim)) {}

  template <class T>
  void add_row(const T* query, int64_t sees, int64_t head_dim) {
    const V scale = V::set(1.0f / std::sqrt(float(head_dim)));
    for_vectors(head_dim, [&](int64_t i, auto lanes) { store(load(query + i, lanes) * scale, q + rows * head_dim + i, lanes); });
    std::fill(acc + rows * padded(head_dim), acc + (rows + 1) * padded(head_dim), 0.0f);
    max[rows] = -std::numeric_limits<float>::infinity();
    sum[rows] = 0.0f;
    visible[rows] = sees;
    rows++;
  }

  // Blocks that the last row of a range, and so any, sees.
  int64_t blocks(RowRange range) const { return range.end > 0 ? (visible[range.end - 1] + kBlockKeys - 1) / kBlockKeys : 0; }

  // The softmax step of some rows over a block that starts at position `start`: p from scores, max, sum, rescale.
  void weigh(RowRange range, int64_t start) {
    const V hidden = V::set(-std::numeric_limits<float>::infinity());
    alignas(64) float shift[kQueryRows];
    for (int r = range.first; r < range.end; r++) {
      float* s = p + r * kBlockKeys;
      const int seen = int(std::min<int64_t>(kBlockKeys, visible[r] - start));
      V top = hidden;
      for (int c = 0; c < kBlockVectors; c++) {
        V x = V::load(s + c * V::kLanes);
        if (seen < kBlockKeys) {
          x = hide(x, c, seen, hidden);
          x.store(s + c * V::kLanes);
        }
        top = g4::G4_ISA::max(x, top);
      }
      const float highest = reduce_max(top);
      const float next = highest > max[r] ? highest : max[r];
      shift[r] = max[r] - next;
      max[r] = next;
    }
    for (int r = range.first; r < range.end; r += V::kLanes) {
      const int n = std::min(range.end - r, V::kLanes);
      exp(V::load(shift + r, n)).store(rescale + r, n);
    }
    for (int r = range.first; r < range.end; r++) {
      float* s = p + r * kBlockKeys;
      const V m = V::set(max[r]);
      V total = V::zero();
      for (int c = 0; c < kBlockVectors; c++) {
        const V e = exp(V::load(s + c * V::kLanes) - m);
        e.store(s + c * V::kLanes);
        total = total + e;
      }
      sum[r] = sum[r] * rescale[r] + reduce_add(total);
    }
  }

  // Rows [range.first, range.end) against one block: keys [head_dim][32], 32 rows of values. The last of them sees some of it.
  template <class K, class T>
  void step(RowRange range, int64_t start, const K* keys, ValueRows<T> values, int64_t head_dim, NextBlock next) {
    while (visible[range.first] <= start) range.first++;
    const int64_t stride = padded(head_dim);
    scores(p + range.first * kBlockKeys, q + range.first * head_dim, head_dim, range.count(), keys, head_dim, next.keys);
    weigh(range, start);
    const auto seen = [&](int r) { return int(std::min<int64_t>(kBlockKeys, visible[r] - start)); };
    const T* next_values = reinterpret_cast<const T*>(next.values);
    const auto add = [&](int r, int n, const float* scale, int from, int to) {
      accumulate(acc + r * stride, stride, n, scale, Coefficients{p + r * kBlockKeys + from, kBlockKeys, 1}, values.first + from * values.stride,
                 values.stride, head_dim, to - from, next_values);
      next_values = nullptr;
    };
    // On the diagonal a few rows go together over the keys that all of them see, and each alone over the few more it sees.
    constexpr int kTogether = 4;
    int r = range.first;
    for (; r < range.end && seen(r) < kBlockKeys; r += kTogether) {
      const int n = std::min(kTogether, range.end - r), common = seen(r);
      add(r, n, rescale + r, 0, common);
      for (int i = r + 1; i < r + n; i++)
        if (seen(i) > common) add(i, 1, nullptr, common, seen(i));
    }
    if (r < range.end) add(r, range.end - r, rescale + r, 0, kBlockKeys);
  }

  // A range of rows against blocks [begin, end), of which the last row sees all: keys_of(b) is the address of block b's keys,
  // values_of(b) are its ValueRows, next_of(b) is what to fetch of block b, and `after` what to fetch while the last block is at work.
  template <class KeysOf, class ValuesOf, class NextOf>
  void attend(RowRange range, int64_t begin, int64_t end, int64_t head_dim, KeysOf&& keys_of, ValuesOf&& values_of, NextOf&& next_of,
              NextBlock after = {}) {
    for (int64_t b = begin; b < end; b++) step(range, b * kBlockKeys, keys_of(b), values_of(b), head_dim, b + 1 < end ? next_of(b + 1) : after);
  }

  template <class T>
  void write(int r, T* o, float* lse, int64_t head_dim) const {
    const V scale = V::set(1.0f / sum[r]);
    const float* row = acc + r * padded(head_dim);
    for_vectors(head_dim, [&](int64_t i, auto lanes) { store(load(row + i, lanes) * scale, o + i, lanes); });
    if (lse != nullptr) *lse = float(double(max[r]) + std::log(double(sum[r])));
  }
};

// Time of one task, to decide whether workers are worth waking: two products over `pairs` (query, key) pairs.
inline double attention_ns(double pairs, int64_t head_dim) { return pairs * double(head_dim) * (V::kLanes == 16 ? 0.06 : V::kLanes == 8 ? 0.12 : 0.6); }

}  // namespace g4::G4_ISA
