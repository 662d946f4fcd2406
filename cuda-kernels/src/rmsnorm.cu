// RMSNorm (Zhang & Sennrich 2019), alone, after a residual add, and backward.
//
//   r = 1 / sqrt(mean(x^2) + eps),  y = x r w
//   dx = r (dy w - x r^2 mean(dy w x)),  dw += sum over rows of dy x r
//
// x, y [rows, width], w [width], dw f32 [width].
//
// Bytes per element, bf16: forward 4 (x in, y out), with the add 8 (x, delta in; x, y out), backward 6 (dy, x in; dx out) and
// 2 more when it accumulates. w stays in L2. A row is read twice, for the sum and for the result; the second read finds it in
// L1, because at most 16 blocks of 128 threads live on an SM: 16 rows of 8 KB (width 4096, bf16) are 128 KB.
//
// One block of 128 threads a row. At width 896 in bf16 a row is 112 vectors of 16 bytes, so each thread has one load under
// way and an SM 16 * 1.8 KB = 28 KB: enough for 4.8 TB/s at 700 ns (25 KB an SM on 132 SMs). For that nvcc must not take more
// than 32 registers a thread, and it does not (sm_90a), nor backward in bf16 (two loads each, 56 KB; in fp16 40 registers, 12
// blocks, 43 KB). The backward loops are not unrolled, which would cost registers and, in fp16, spills.
//
// dw without atomics: the rows are cut into chunks of kChunkRows, whatever the grid; a block sums its chunk in shared memory,
// each thread its own columns, and writes one row of partials; a second kernel adds the partials of a column in fixed order.
// They cost 4 bytes for every kChunkRows elements, twice: 1 byte an element on top of 6. The partials are the workspace.
#include "add_columns.cuh"
#include "reduce.cuh"
#include "vector.cuh"

namespace g4::cuda {

namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / kWarp;
constexpr int kChunkRows = 8;
constexpr int64_t kMaxBackwardWidth = 48 * 1024 / sizeof(float) - 256;  // shared memory of a block less its partial sums

__device__ __forceinline__ float reciprocal_rms(float squares, int width, float eps) { return 1.0f / sqrtf(squares / float(width) + eps); }

// With kAdd the norm sees x + delta as it is stored: the bits of an add followed by a norm.
template <class T, int V, bool kAdd>
__global__ void __launch_bounds__(kThreads) rmsnorm_kernel(T* y, T* x, const T* delta, const T* w, int width, float eps) {
  G4_SHARED(float, partial, kWarps);
  const int64_t row = int64_t(blockIdx.x) * width;
  float squares[1] = {0.0f};
  for (int i = int(threadIdx.x) * V; G4_GUARD(i < width); i += kThreads * V) {
    Floats<V> a = load<V>(x + row + i);
    if constexpr (kAdd) {
      const Floats<V> d = load<V>(delta + row + i);
#pragma unroll
      for (int k = 0; k < V; k++) a.e[k] += d.e[k];
      a = store<V>(x + row + i, a);
    }
#pragma unroll
    for (int k = 0; k < V; k++) squares[0] = fmaf(a.e[k], a.e[k], squares[0]);
  }
  block_sums<kWarps>(squares, partial);
  const float r = reciprocal_rms(squares[0], width, eps);
  for (int i = int(threadIdx.x) * V; G4_GUARD(i < width); i += kThreads * V) {
    Floats<V> a = load<V>(x + row + i);
    const Floats<V> g = load<V>(w + i);
#pragma unroll
    for (int k = 0; k < V; k++) a.e[k] = a.e[k] * r * g.e[k];
    store<V>(y + row + i, a);
  }
}

// Rows [kChunkRows * block, ...): dx, and the chunk's row of partials [chunks, width].
template <class T, int V>
__global__ void __launch_bounds__(kThreads)
    rmsnorm_backward_kernel(T* dx, float* partials, const T* dy, const T* x, const T* w, int64_t rows, int width, float eps, bool accumulate) {
  G4_SHARED(float, partial, 2 * 2 * kWarps);
  G4_DYNAMIC_SHARED(float, dw);  // [width]; every thread touches its own columns only
  const int start = int(threadIdx.x) * V;
  for (int i = start; G4_GUARD(i < width); i += kThreads * V) store_pack<V>(dw + i, Floats<V>{});
  const int64_t begin = int64_t(blockIdx.x) * kChunkRows;
  const int64_t end = G4_GUARD(rows < begin + kChunkRows) ? rows : begin + kChunkRows;
  for (int64_t row = begin; row < end; row++) {
    const int64_t at = row * width;
    float sums[2] = {0.0f, 0.0f};  // of x^2, of dy w x
#pragma unroll 1
    for (int i = start; G4_GUARD(i < width); i += kThreads * V) {
      const Floats<V> a = load<V>(x + at + i), g = load<V>(dy + at + i), weight = load<V>(w + i);
#pragma unroll
      for (int k = 0; k < V; k++) {
        sums[0] = fmaf(a.e[k], a.e[k], sums[0]);
        sums[1] = fmaf(g.e[k] * weight.e[k], a.e[k], sums[1]);
      }
    }
    block_sums<kWarps>(sums, partial + (row & 1) * 2 * kWarps);
    const float r = reciprocal_rms(sums[0], width, eps);
    const float pull = r * r * (sums[1] / float(width));
#pragma unroll 1
    for (int i = start; G4_GUARD(i < width); i += kThreads * V) {
      const Floats<V> a = load<V>(x + at + i), g = load<V>(dy + at + i), weight = load<V>(w + i);
      Floats<V> sum = load<V>(dw + i), d;
#pragma unroll
      for (int k = 0; k < V; k++) {
        d.e[k] = r * (g.e[k] * weight.e[k] - a.e[k] * pull);
        sum.e[k] = fmaf(g.e[k], a.e[k] * r, sum.e[k]);
      }
      store_pack<V>(dw + i, sum);
      if (accumulate) {
        const Floats<V> before = load<V>(dx + at + i);
#pragma unroll
        for (int k = 0; k < V; k++) d.e[k] += before.e[k];
      }
      Pack<T, V> pack;  // nvcc would store dx element by element where it does not accumulate
#pragma unroll
      for (int k = 0; k < V; k++) pack.e[k] = from_float<T>(d.e[k]);
      if constexpr (sizeof pack == 16) {
        store_16_bytes(dx + at + i, &pack);
      } else {
        store_pack<V>(dx + at + i, pack);
      }
    }
  }
  for (int i = start; G4_GUARD(i < width); i += kThreads * V) store_pack<V>(partials + int64_t(blockIdx.x) * width + i, load_pack<V>(dw + i));
}

template <bool kAdd>
int rmsnorm(g4_stream stream, g4_ptr y, g4_ptr x, g4_cptr delta, g4_cptr w, int64_t rows, int64_t width, float eps, int dtype) {
  if (rows == 0) return G4_OK;
  return with_storage(dtype, [&](auto type) {
    using T = decltype(type);
    return with_vector<T>(width, [&](auto vector) {
      launch(rmsnorm_kernel<T, decltype(vector)::value, kAdd>, dim3(unsigned(rows)), dim3(kThreads), 0, stream, static_cast<T*>(y), static_cast<T*>(x),
             static_cast<const T*>(delta), static_cast<const T*>(w), int(width), eps);
      return status();
    });
  });
}

}  // namespace

}  // namespace g4::cuda

using namespace g4::cuda;

int g4_rmsnorm(g4_stream stream, g4_ptr y, g4_cptr x, g4_cptr w, int64_t rows, int64_t width, float eps, int dtype) {
  return rmsnorm<false>(stream, y, const_cast<g4_ptr>(x), nullptr, w, rows, width, eps, dtype);  // x is only read without the add
}

int g4_add_rmsnorm(g4_stream stream, g4_ptr y, g4_ptr x, g4_cptr delta, g4_cptr w, int64_t rows, int64_t width, float eps, int dtype) {
  return rmsnorm<true>(stream, y, x, delta, w, rows, width, eps, dtype);
}

int64_t g4_rmsnorm_backward_workspace(int64_t rows, int64_t width) { return ceil_div(rows, kChunkRows) * width * int64_t(sizeof(float)); }

int g4_rmsnorm_backward(g4_stream stream, g4_ptr dx, g4_ptr dw, g4_cptr dy, g4_cptr x, g4_cptr w, g4_ptr workspace, int64_t rows, int64_t width, float eps, int accumulate, int dtype) {
  if (rows == 0) return G4_OK;
  if (width > kMaxBackwardWidth) return G4_UNSUPPORTED;
  const int64_t chunks = ceil_div(rows, kChunkRows);
  return with_storage(dtype, [&](auto type) {
    using T = decltype(type);
    return with_vector<T>(width, [&](auto vector) {
      launch(rmsnorm_backward_kernel<T, decltype(vector)::value>, dim3(unsigned(chunks)), dim3(kThreads), size_t(width) * sizeof(float), stream,
             static_cast<T*>(dx), static_cast<float*>(workspace), static_cast<const T*>(dy), static_cast<const T*>(x), static_cast<const T*>(w), rows,
             int(width), eps, accumulate != 0);
      add_columns(stream, static_cast<float*>(dw), static_cast<const float*>(workspace), chunks, width);
      return status();
    });
  });
}
