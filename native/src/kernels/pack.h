// Weights in and out of their packed layout, and from fp32 master to bf16.
//
//   row-major [rows, k]  <->  panels of 32 rows: (n, k) at panel * 32 * K2 + k * 32 + n % 32        (bf16: pairs of k)
//
// Each moves its elements once. A panel that the rows cover whole is transposed in registers, kLanes x kLanes at a time; a
// panel that is shared with other rows goes element by element, so that its other lanes are not written.
#pragma once

#include <algorithm>
#include <cstdint>

#include "grpo4j/ops.h"
#include "kernels/linear.h"

namespace g4::G4_ISA {

inline int64_t packed_index(const float*, int64_t k2, int64_t n, int64_t k) { return n / kPanel * kPanel * k2 + k * kPanel + n % kPanel; }
inline int64_t packed_index(const bf16*, int64_t k2, int64_t n, int64_t k) {
  return n / kPanel * kPanel * k2 + k / 2 * 2 * kPanel + n % kPanel * 2 + k % 2;
}

// kLanes values of row `n` starting at `k` of a row-major source, and the same in the packed one.
template <class D>
void store_square(D* packed, int64_t k2, int64_t n, int64_t k, V (&columns)[V::kLanes]) {
  if constexpr (sizeof(D) == 4) {
    for (int i = 0; i < V::kLanes; i++) columns[i].store(packed + packed_index(packed, k2, n, k + i));
  } else {
    for (int i = 0; i < V::kLanes; i += 2)
      join_pairs(round_to_bf16(columns[i]), round_to_bf16(columns[i + 1])).store(reinterpret_cast<float*>(packed + packed_index(packed, k2, n, k + i)));
  }
}

template <class S>
void load_square(const S* packed, int64_t k2, int64_t n, int64_t k, V (&columns)[V::kLanes]) {
  if constexpr (sizeof(S) == 4) {
    for (int i = 0; i < V::kLanes; i++) columns[i] = V::load(packed + packed_index(packed, k2, n, k + i));
  } else {
    for (int i = 0; i < V::kLanes; i += 2) {
      const V pair = V::load(reinterpret_cast<const float*>(packed + packed_index(packed, k2, n, k + i)));
      columns[i] = even_of_pairs(pair);
      columns[i + 1] = odd_of_pairs(pair);
    }
  }
}

// body(n0, n1): the rows of one panel that lie in [row0, row0 + rows).
template <class Body>
void for_panels(Stream& stream, int64_t row0, int64_t rows, const Body& body) {
  if (rows == 0) return;
  const int64_t first = row0 / kPanel, last = (row0 + rows - 1) / kPanel;
  stream.parallel_for(last - first + 1, [&](int64_t index, int) {
    const int64_t panel = first + index;
    body(std::max(row0, panel * kPanel), std::min(row0 + rows, (panel + 1) * kPanel));
  });
}

template <class D, class S>
void pack(Stream& stream, D* packed, const S* src, int64_t row0, int64_t rows, int64_t k) {
  const int64_t k2 = even(k);
  for_panels(stream, row0, rows, [&](int64_t n0, int64_t n1) {
    const int64_t squares = n1 - n0 == kPanel ? k / V::kLanes * V::kLanes : 0;
    for (int64_t c = 0; c < squares; c += V::kLanes)
      for (int64_t n = n0; n < n1; n += V::kLanes) {
        V v[V::kLanes];
        for (int i = 0; i < V::kLanes; i++) v[i] = V::load(src + (n - row0 + i) * k + c);
        transpose(v);
        store_square(packed, k2, n, c, v);
      }
    for (int64_t n = n0; n < n1; n++)
      for (int64_t c = squares; c < k; c++) packed[packed_index(packed, k2, n, c)] = from_float<D>(to_float(src[(n - row0) * k + c]));
  });
}

template <class D, class S>
void unpack(Stream& stream, D* dst, const S* packed, int64_t row0, int64_t rows, int64_t k) {
  const int64_t k2 = even(k);
  for_panels(stream, row0, rows, [&](int64_t n0, int64_t n1) {
    const int64_t squares = n1 - n0 == kPanel ? k / V::kLanes * V::kLanes : 0;
    for (int64_t c = 0; c < squares; c += V::kLanes)
      for (int64_t n = n0; n < n1; n += V::kLanes) {
        V v[V::kLanes];
        load_square(packed, k2, n, c, v);
        transpose(v);
        for (int i = 0; i < V::kLanes; i++) v[i].store(dst + (n - row0 + i) * k + c);
      }
    for (int64_t n = n0; n < n1; n++)
      for (int64_t c = squares; c < k; c++) dst[(n - row0) * k + c] = from_float<D>(to_float(packed[packed_index(packed, k2, n, c)]));
  });
}

inline int pack_rows(g4_stream stream, g4_ptr packed, int packed_dtype, g4_cptr src, int src_dtype, int64_t row0, int64_t rows, int64_t,
                     int64_t k) {
  Stream& s = stream_of(stream);
  const auto into = [&](auto* dst) -> int {
    switch (src_dtype) {
      case G4_F32: pack(s, dst, static_cast<const float*>(src), row0, rows, k); return G4_OK;
      case G4_BF16: pack(s, dst, static_cast<const bf16*>(src), row0, rows, k); return G4_OK;
      case G4_F16: pack(s, dst, static_cast<const f16*>(src), row0, rows, k); return G4_OK;
      default: return G4_UNSUPPORTED;
    }
  };
  if (packed_dtype == G4_F32) return into(static_cast<float*>(packed));
  if (packed_dtype == G4_BF16) return into(static_cast<bf16*>(packed));
  return G4_UNSUPPORTED;
}

inline int unpack_rows(g4_stream stream, g4_ptr dst, int dst_dtype, g4_cptr packed, int packed_dtype, int64_t row0, int64_t rows, int64_t,
                       int64_t k) {
  Stream& s = stream_of(stream);
  const auto from = [&](const auto* src) -> int {
    switch (dst_dtype) {
      case G4_F32: unpack(s, static_cast<float*>(dst), src, row0, rows, k); return G4_OK;
      case G4_BF16: unpack(s, static_cast<bf16*>(dst), src, row0, rows, k); return G4_OK;
      case G4_F16: unpack(s, static_cast<f16*>(dst), src, row0, rows, k); return G4_OK;
      default: return G4_UNSUPPORTED;
    }
  };
  if (packed_dtype == G4_F32) return from(static_cast<const float*>(packed));
  if (packed_dtype == G4_BF16) return from(static_cast<const bf16*>(packed));
  return G4_UNSUPPORTED;
}

// 64 neighbours of the f32 order, rows k and k + 1 of a panel, are 32 pairs of the bf16 order: groups keep their place.
inline void cast_group(bf16* dst, const float* src) {
  for (int64_t lane = 0; lane < kPanel; lane += V::kLanes)
    join_pairs(round_to_bf16(V::load(src + lane)), round_to_bf16(V::load(src + kPanel + lane))).store(reinterpret_cast<float*>(dst + 2 * lane));
}

inline int cast_packed(g4_stream stream, g4_ptr dst_bf16, g4_cptr src_f32, int64_t n, int64_t k) {
  bf16* dst = static_cast<bf16*>(dst_bf16);
  const float* src = static_cast<const float*>(src_f32);
  for_panels(stream_of(stream), 0, n, [&](int64_t n0, int64_t) {
    const int64_t begin = n0 * even(k), end = begin + kPanel * even(k);
    for (int64_t i = begin; i < end; i += 2 * kPanel) cast_group(dst + i, src + i);
  });
  return G4_OK;
}

}  // namespace g4::G4_ISA
