// Element by element: conversions, sums, fills and copies.
//
//   cast: dst[i] = (T) src[i], round to nearest even;  add: dst[i] += src[i];  fill: bytes of 0;  copy: any memory to any other
//
// Bytes per element: cast fp32 -> bf16 6, add in bf16 6. A thread moves 8 elements, one or two vectors of 16 bytes on either
// side, and a block 2,048; the last block finishes element by element. 2,048 threads an SM with 16 to 48 bytes under way each
// are 32 to 96 KB, against 25 KB that 4.8 TB/s need at 700 ns. Arithmetic is a conversion an element.
//
// A weight matrix is plain row-major on this back end, so packing is a cast to or from some of its rows, and the rounding
// after an optimizer update a cast of the whole.
#include "vector.cuh"

namespace g4::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kElements = 8;  // of a thread

template <class T>
__device__ __forceinline__ Floats<kElements> load_elements(const T* from) {
  constexpr int V = int(16 / sizeof(T));
  Floats<kElements> all;
#pragma unroll
  for (int at = 0; at < kElements; at += V) {
    const Floats<V> part = load<V>(from + at);
#pragma unroll
    for (int k = 0; k < V; k++) all.e[at + k] = part.e[k];
  }
  return all;
}

template <class T>
__device__ __forceinline__ void store_elements(T* to, const Floats<kElements>& all) {
  constexpr int V = int(16 / sizeof(T));
#pragma unroll
  for (int at = 0; at < kElements; at += V) {
    Floats<V> part;
#pragma unroll
    for (int k = 0; k < V; k++) part.e[k] = all.e[at + k];
    store<V>(to + at, part);
  }
}

// kAdd: dst += src, else dst = src.
template <class D, class S, bool kAdd>
__global__ void __launch_bounds__(kThreads) elementwise_kernel(D* dst, const S* src, int64_t count, bool aligned) {
  const int64_t start = (int64_t(blockIdx.x) * kThreads + threadIdx.x) * kElements;
  if (aligned && start + kElements <= count) {
    Floats<kElements> x = load_elements(src + start);
    if constexpr (kAdd) {
      const Floats<kElements> before = load_elements(dst + start);
#pragma unroll
      for (int k = 0; k < kElements; k++) x.e[k] = before.e[k] + x.e[k];
    }
    store_elements(dst + start, x);
    return;
  }
  for (int64_t i = start; i < start + kElements; i++) {
    if (!G4_GUARD(i < count)) return;
    float x = to_float(src[i]);
    if constexpr (kAdd) x = to_float(dst[i]) + x;
    dst[i] = from_float<D>(x);
  }
}

template <bool kAdd, class D, class S>
int elementwise(g4_stream stream, D* dst, const S* src, int64_t count) {
  if (count == 0) return G4_OK;
  launch(elementwise_kernel<D, S, kAdd>, dim3(unsigned(ceil_div(count, int64_t(kThreads) * kElements))), dim3(kThreads), 0, stream, dst, src, count,
         aligned16(dst) && aligned16(src));
  return status();
}

int64_t bytes_of(int dtype) { return dtype == G4_F32 || dtype == G4_I32 ? 4 : 2; }

g4_ptr element(g4_ptr base, int64_t index, int dtype) { return static_cast<char*>(base) + index * bytes_of(dtype); }
g4_cptr element(g4_cptr base, int64_t index, int dtype) { return static_cast<const char*>(base) + index * bytes_of(dtype); }

}  // namespace

}  // namespace g4::cuda

using namespace g4::cuda;

int g4_fill_zero(g4_stream stream, g4_ptr dst, int64_t bytes) {
  if (bytes == 0) return G4_OK;
  return cudaMemsetAsync(dst, 0, size_t(bytes), static_cast<cudaStream_t>(stream)) == cudaSuccess ? G4_OK : G4_INTERNAL;
}

// Addresses tell which memory is the device's and which is the host's. From or to pageable host memory the call waits.
int g4_copy(g4_stream stream, g4_ptr dst, g4_cptr src, int64_t bytes) {
  if (bytes == 0) return G4_OK;
  return cudaMemcpyAsync(dst, src, size_t(bytes), cudaMemcpyDefault, static_cast<cudaStream_t>(stream)) == cudaSuccess ? G4_OK : G4_INTERNAL;
}

int g4_cast(g4_stream stream, g4_ptr dst, int dst_dtype, g4_cptr src, int src_dtype, int64_t count) {
  if (dst_dtype == src_dtype) return g4_copy(stream, dst, src, count * bytes_of(src_dtype));
  return with_storage(dst_dtype, [&](auto to) {
    return with_storage(src_dtype, [&](auto from) {
      using D = decltype(to);
      using S = decltype(from);
      if constexpr (std::is_same_v<D, S>) {
        return int(G4_INTERNAL);  // a copy, above
      } else {
        return elementwise<false>(stream, static_cast<D*>(dst), static_cast<const S*>(src), count);
      }
    });
  });
}

int g4_add(g4_stream stream, g4_ptr dst, g4_cptr src, int64_t count, int dtype) {
  return with_storage(dtype, [&](auto type) {
    using T = decltype(type);
    return elementwise<true>(stream, static_cast<T*>(dst), static_cast<const T*>(src), count);
  });
}

int g4_pack_rows(g4_stream stream, g4_ptr packed, int packed_dtype, g4_cptr src, int src_dtype, int64_t row0, int64_t rows, int64_t, int64_t k) {
  return g4_cast(stream, element(packed, row0 * k, packed_dtype), packed_dtype, src, src_dtype, rows * k);
}

int g4_unpack_rows(g4_stream stream, g4_ptr dst, int dst_dtype, g4_cptr packed, int packed_dtype, int64_t row0, int64_t rows, int64_t, int64_t k) {
  return g4_cast(stream, dst, dst_dtype, element(packed, row0 * k, packed_dtype), packed_dtype, rows * k);
}

int g4_cast_packed(g4_stream stream, g4_ptr dst_bf16, g4_cptr src_f32, int64_t n, int64_t k) {
  return g4_cast(stream, dst_bf16, G4_BF16, src_f32, G4_F32, n * k);
}
