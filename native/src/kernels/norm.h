// RMSNorm (Zhang & Sennrich 2019), alone, after a residual add, and backward.
//
//   r = 1 / sqrt(mean(x^2) + eps),  y = x r w
//   dx = r (dy w - x r^2 mean(dy w x)),  dw += sum over rows of dy x r
//
// x, y [rows, width], w [width]. Bound by memory: forward reads x and writes y, the row itself stays in L1 between the
// sum of squares and the scaling; the residual add in front saves one round trip of x; backward reads dy, x, writes dx.
//
// dw sums over rows, so rows are cut into chunks of a fixed number, whatever the thread count. Each chunk has its own
// partial dw in the shared scratch, and the partials are added in chunk order.
#pragma once

#include <cmath>

#include "kernels/launch.h"

namespace g4::G4_ISA {

// Four independent sums hide the latency of the addition; they are folded pairwise at the end.
struct FourSums {
  V s[4] = {V::zero(), V::zero(), V::zero(), V::zero()};
  float total() const { return reduce_add((s[0] + s[1]) + (s[2] + s[3])); }
};

template <class T>
inline float sum_of_squares(const T* x, int64_t n) {
  FourSums sums;
  int64_t i = 0;
  for (; i + 4 * V::kLanes <= n; i += 4 * V::kLanes) {
    for (int u = 0; u < 4; u++) {
      const V a = V::load(x + i + u * V::kLanes);
      sums.s[u] = fma(a, a, sums.s[u]);
    }
  }
  for_vectors(n - i, [&](int64_t j, auto lanes) {
    const V a = load(x + i + j, lanes);
    sums.s[0] = fma(a, a, sums.s[0]);
  });
  return sums.total();
}

inline float reciprocal_rms(float squares, int64_t width, float eps) { return 1.0f / std::sqrt(squares / float(width) + eps); }

template <class T>
inline void rmsnorm_row(T* y, const T* x, const T* w, int64_t width, float eps) {
  const V r = V::set(reciprocal_rms(sum_of_squares(x, width), width, eps));
  for_vectors(width, [&](int64_t i, auto lanes) { store(load(x + i, lanes) * r * load(w + i, lanes), y + i, lanes); });
}

inline int rmsnorm(g4_stream handle, g4_ptr y, g4_cptr x, g4_cptr w, int64_t rows, int64_t width, float eps, int dtype) {
  return with_type(dtype, [&](auto type) {
    using T = decltype(type);
    for_rows(stream_of(handle), rows, double(width) * 0.15 + 20, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; i++)
        rmsnorm_row(static_cast<T*>(y) + i * width, static_cast<const T*>(x) + i * width, static_cast<const T*>(w), width, eps);
    });
    return G4_OK;
  });
}

// The norm sees x as it is stored: the bits of g4_add followed by g4_rmsnorm.
inline int add_rmsnorm(g4_stream handle, g4_ptr y, g4_ptr x, g4_cptr delta, g4_cptr w, int64_t rows, int64_t width, float eps, int dtype) {
  return with_type(dtype, [&](auto type) {
    using T = decltype(type);
    for_rows(stream_of(handle), rows, double(width) * 0.25 + 20, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; i++) {
        T* row = static_cast<T*>(x) + i * width;
        const T* add = static_cast<const T*>(delta) + i * width;
        for_vectors(width, [&](int64_t j, auto lanes) { store(load(row + j, lanes) + load(add + j, lanes), row + j, lanes); });
        rmsnorm_row(static_cast<T*>(y) + i * width, row, static_cast<const T*>(w), width, eps);
      }
    });
    return G4_OK;
  });
}

// One row: dx, and dw += dy x r in the chunk's partial.
template <class T>
inline void rmsnorm_backward_row(T* dx, float* dw, const T* dy, const T* x, const T* w, int64_t width, float eps, bool accumulate) {
  const float r = reciprocal_rms(sum_of_squares(x, width), width, eps);
  V dot = V::zero();
  for_vectors(width, [&](int64_t i, auto lanes) { dot = fma(load(dy + i, lanes) * load(w + i, lanes), load(x + i, lanes), dot); });
  const V scale = V::set(r);
  const V pull = V::set(r * r * (reduce_add(dot) / float(width)));
  for_vectors(width, [&](int64_t i, auto lanes) {
    const V g = load(dy + i, lanes);
    const V a = load(x + i, lanes);
    V d = scale * (g * load(w + i, lanes) - a * pull);
    store(fma(g, a * scale, V::load(dw + i)), dw + i, AllLanes{});
    if (accumulate) d = load(dx + i, lanes) + d;
    store(d, dx + i, lanes);
  });
}

inline int rmsnorm_backward(g4_stream handle, g4_ptr dx, g4_ptr dw, g4_cptr dy, g4_cptr x, g4_cptr w, g4_ptr, int64_t rows, int64_t width, float eps, int accumulate, int dtype) {
  constexpr int64_t kChunkRows = 32;
  Stream& stream = stream_of(handle);
  const int64_t stride = padded(width);
  const int64_t chunks_at_once = int64_t(Stream::kSharedScratchBytes / sizeof(float)) / stride;
  if (chunks_at_once < 1) return G4_UNSUPPORTED;
  float* partials = reinterpret_cast<float*>(stream.shared_scratch());
  const double row_ns = double(width) * 0.4 + 40;
  return with_type(dtype, [&](auto type) {
    using T = decltype(type);
    const int64_t all_chunks = (rows + kChunkRows - 1) / kChunkRows;
    for (int64_t first = 0; first < all_chunks; first += chunks_at_once) {
      const int64_t chunks = std::min(chunks_at_once, all_chunks - first);
      for_tasks(stream, chunks, row_ns * double(std::min(rows, kChunkRows)), [&](int64_t chunk, int) {
        float* partial = partials + chunk * stride;
        std::fill(partial, partial + stride, 0.0f);
        const int64_t begin = (first + chunk) * kChunkRows;
        for (int64_t i = begin; i < std::min(rows, begin + kChunkRows); i++)
          rmsnorm_backward_row(static_cast<T*>(dx) + i * width, partial, static_cast<const T*>(dy) + i * width,
                               static_cast<const T*>(x) + i * width, static_cast<const T*>(w), width, eps, accumulate != 0);
      });
      const int64_t vectors = stride / V::kLanes;
      for_rows(stream, vectors, double(chunks) * 2, [&](int64_t begin, int64_t end, int) {
        const int64_t column = begin * V::kLanes;
        float* out = static_cast<float*>(dw) + column;
        for_vectors(std::min(width, end * V::kLanes) - column, [&](int64_t i, auto lanes) {
          V sum = load(out + i, lanes);
          for (int64_t chunk = 0; chunk < chunks; chunk++) sum = sum + V::load(partials + chunk * stride + column + i);
          store(sum, out + i, lanes);
        });
      });
    }
    return G4_OK;
  });
}

}  // namespace g4::G4_ISA
