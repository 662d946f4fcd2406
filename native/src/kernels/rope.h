// Rotary position embeddings (Su et al. 2021) in the half-rotation layout of Llama and Qwen2, in place.
//
//   x1' = x1 cos - x2 sin,  x2' = x2 cos + x1 sin      with x1, x2 the two halves of a head
//
// x: rows of row_stride elements, `heads` heads of head_dim side by side; cos_sin f32 [max_position, head_dim]. Reads and
// writes each element once. A rotation's transpose turns the other way, so backward is the same loop with -sin.
#pragma once

#include "kernels/launch.h"

namespace g4::G4_ISA {

template <class T>
inline void rotate_head(T* x, const float* cosines, int64_t half, V sign) {
  for_vectors(half, [&](int64_t i, auto lanes) {
    const V c = load(cosines + i, lanes);
    const V s = load(cosines + half + i, lanes) * sign;
    const V x1 = load(x + i, lanes);
    const V x2 = load(x + half + i, lanes);
    store(x1 * c - x2 * s, x + i, lanes);
    store(x2 * c + x1 * s, x + half + i, lanes);
  });
}

inline int rope(g4_stream handle, g4_ptr x, g4_cptr cos_sin, g4_cptr positions_i32, int64_t rows, int64_t heads, int64_t head_dim, int64_t row_stride, int inverse, int dtype) {
  const int32_t* positions = static_cast<const int32_t*>(positions_i32);
  const V sign = V::set(inverse != 0 ? -1.0f : 1.0f);
  return with_type(dtype, [&](auto type) {
    using T = decltype(type);
    for_rows(stream_of(handle), rows, double(heads * head_dim) * 0.25 + 5, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; i++) {
        const float* angles = static_cast<const float*>(cos_sin) + int64_t(positions[i]) * head_dim;
        T* row = static_cast<T*>(x) + i * row_stride;
        for (int64_t h = 0; h < heads; h++) rotate_head(row + h * head_dim, angles, head_dim / 2, sign);
      }
    });
    return G4_OK;
  });
}

}  // namespace g4::G4_ISA
