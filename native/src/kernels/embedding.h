// Rows of the packed embedding matrix [vocab, width], which the tied head reads too.
//
//   y[t][k] = w[ids[t]][k]          backward: dw[ids[t]][k] += dy[t][k], t ascending
//
// A row of the packed matrix lies 128 bytes apart per element (f32; per pair in bf16), so every element costs a cache
// line: tokens * width lines in all, about a nanosecond each. Against the products around it that is little, and one copy of the matrix is saved.
// Backward divides the columns among the threads, not the tokens: the same token may come twice.
#pragma once

#include <algorithm>
#include <cstdint>

#include "grpo4j/ops.h"
#include "kernels/launch.h"
#include "kernels/pack.h"

namespace g4::G4_ISA {

template <class T>
void embedding_rows(Stream& stream, T* y, const T* w, const int32_t* ids, int64_t tokens, int64_t width) {
  constexpr int64_t kTokens = 16;
  const int64_t k2 = even(width);
  for_tasks(stream, (tokens + kTokens - 1) / kTokens, double(std::min(tokens, kTokens) * width), [&](int64_t index, int) {
    for (int64_t t = index * kTokens; t < std::min(tokens, (index + 1) * kTokens); t++) {
      const T* row = w + packed_index(w, k2, ids[t], 0);
      T* out = y + t * width;
      if constexpr (sizeof(T) == 4) {
        for (int64_t k = 0; k < width; k++) out[k] = row[k * kPanel];
      } else {
        for (int64_t k = 0; k < width; k++) out[k] = row[k / 2 * 2 * kPanel + k % 2];
      }
    }
  });
}

inline int embedding(g4_stream stream, g4_ptr y, g4_cptr w, g4_cptr ids_i32, int64_t tokens, int64_t, int64_t width, int dtype) {
  Stream& s = stream_of(stream);
  const int32_t* ids = static_cast<const int32_t*>(ids_i32);
  if (dtype == G4_F32) embedding_rows(s, static_cast<float*>(y), static_cast<const float*>(w), ids, tokens, width);
  else if (dtype == G4_BF16) embedding_rows(s, static_cast<bf16*>(y), static_cast<const bf16*>(w), ids, tokens, width);
  else return G4_UNSUPPORTED;
  return G4_OK;
}

template <class T>
void add_embedding_rows(Stream& stream, float* dw, const T* dy, const int32_t* ids, int64_t tokens, int64_t width) {
  constexpr int64_t kColumns = 32;
  const int64_t k2 = even(width);
  for_tasks(stream, (width + kColumns - 1) / kColumns, double(tokens * std::min(width, kColumns)), [&](int64_t index, int) {
    const int64_t end = std::min(width, (index + 1) * kColumns);
    for (int64_t t = 0; t < tokens; t++) {
      float* row = dw + packed_index(dw, k2, ids[t], 0);
      for (int64_t k = index * kColumns; k < end; k++) row[k * kPanel] += to_float(dy[t * width + k]);
    }
  });
}

inline int embedding_backward(g4_stream stream, g4_ptr dw, g4_cptr dy, g4_cptr ids_i32, int64_t tokens, int64_t, int64_t width, int dtype) {
  Stream& s = stream_of(stream);
  const int32_t* ids = static_cast<const int32_t*>(ids_i32);
  if (dtype == G4_F32) add_embedding_rows(s, static_cast<float*>(dw), static_cast<const float*>(dy), ids, tokens, width);
  else if (dtype == G4_BF16) add_embedding_rows(s, static_cast<float*>(dw), static_cast<const bf16*>(dy), ids, tokens, width);
  else return G4_UNSUPPORTED;
  return G4_OK;
}

}  // namespace g4::G4_ISA
