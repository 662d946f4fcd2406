// dst[i] = src[i] in another type; dst[i] += src[i]. Each element is read and written once: bound by memory, so pieces of
// 64 Ki elements go to whichever thread is free, and anything smaller than one piece stays on the calling thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "grpo4j/ops.h"
#include "simd/f16.h"
#include "stream.h"

namespace g4::G4_ISA {

// body(begin, end) over pieces of [0, count).
template <class Body>
void for_pieces(Stream& stream, int64_t count, const Body& body) {
  constexpr int64_t kPiece = int64_t(1) << 16;
  stream.parallel_for((count + kPiece - 1) / kPiece, [&](int64_t index, int) { body(index * kPiece, std::min(count, (index + 1) * kPiece)); });
}

template <class D, class S>
void cast_elements(Stream& stream, D* dst, const S* src, int64_t count) {
  for_pieces(stream, count, [&](int64_t begin, int64_t end) {
    int64_t i = begin;
    for (; i + V::kLanes <= end; i += V::kLanes) V::load(src + i).store(dst + i);
    for (; i < end; i++) dst[i] = from_float<D>(to_float(src[i]));
  });
}

inline int cast(g4_stream stream, g4_ptr dst, int dst_dtype, g4_cptr src, int src_dtype, int64_t count) {
  Stream& s = stream_of(stream);
  if (dst_dtype == src_dtype) return g4_copy(stream, dst, src, count * (src_dtype == G4_F32 || src_dtype == G4_I32 ? 4 : 2));
  const auto from = [&](const auto* source) -> int {
    switch (dst_dtype) {
      case G4_F32: cast_elements(s, static_cast<float*>(dst), source, count); return G4_OK;
      case G4_BF16: cast_elements(s, static_cast<bf16*>(dst), source, count); return G4_OK;
      case G4_F16: cast_elements(s, static_cast<f16*>(dst), source, count); return G4_OK;
      default: return G4_UNSUPPORTED;
    }
  };
  switch (src_dtype) {
    case G4_F32: return from(static_cast<const float*>(src));
    case G4_BF16: return from(static_cast<const bf16*>(src));
    case G4_F16: return from(static_cast<const f16*>(src));
    default: return G4_UNSUPPORTED;
  }
}

template <class T>
void add_elements(Stream& stream, T* dst, const T* src, int64_t count) {
  for_pieces(stream, count, [&](int64_t begin, int64_t end) {
    int64_t i = begin;
    for (; i + V::kLanes <= end; i += V::kLanes) (V::load(dst + i) + V::load(src + i)).store(dst + i);
    for (; i < end; i++) dst[i] = from_float<T>(to_float(dst[i]) + to_float(src[i]));
  });
}

inline int add(g4_stream stream, g4_ptr dst, g4_cptr src, int64_t count, int dtype) {
  Stream& s = stream_of(stream);
  if (dtype == G4_F32) add_elements(s, static_cast<float*>(dst), static_cast<const float*>(src), count);
  else if (dtype == G4_BF16) add_elements(s, static_cast<bf16*>(dst), static_cast<const bf16*>(src), count);
  else return G4_UNSUPPORTED;
  return G4_OK;
}

}  // namespace g4::G4_ISA
