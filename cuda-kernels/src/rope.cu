// Rotary position embeddings (Su et al. 2021), half-rotation layout, in place.
//
//   with (a, b) = (x[j], x[j + D/2]) and (c, s) of the row's position:  x[j] <- a c - b s,  x[j + D/2] <- b c + a s
//   the inverse turns the other way: s -> -s
//
// x: rows of row_stride elements, `heads` heads of D = head_dim in each; cos_sin f32 [positions, D]: cosines, then sines.
//
// Bytes per element, bf16: 4 (x in and out). The table row of a token is D floats for all of its heads and comes from L1 or
// L2: neighbouring lanes of a warp read neighbouring vectors of it. A thread turns V pairs: two loads and two stores of 16
// bytes. 256 threads a block, no shared memory. In bf16 nvcc takes 44 registers (sm_90a): 5 blocks an SM, 40 KB under way.
#include "row_tile.cuh"
#include "vector.cuh"

namespace g4::cuda {

namespace {

// half_vectors: vectors in half a head. Vector v of a row is part v % half_vectors of head v / half_vectors.
template <class T, int V>
__global__ void __launch_bounds__(kTileThreads)
    rope_kernel(T* x, const float* cos_sin, const int32_t* positions, int64_t rows, int heads, int half_vectors, int64_t row_stride, float sign) {
  const int half = half_vectors * V;
  for_row_tile(rows, heads * half_vectors, [&](int64_t row, int vector) {
    const int head = vector / half_vectors;
    const int j = (vector - head * half_vectors) * V;
    T* at = x + row * row_stride + int64_t(head) * 2 * half + j;
    const float* table = cos_sin + int64_t(positions[row]) * 2 * half + j;
    const Floats<V> a = load<V>(at), b = load<V>(at + half), c = load<V>(table), s = load<V>(table + half);
    Floats<V> first, second;
#pragma unroll
    for (int k = 0; k < V; k++) {
      const float sine = sign * s.e[k];
      first.e[k] = a.e[k] * c.e[k] - b.e[k] * sine;
      second.e[k] = b.e[k] * c.e[k] + a.e[k] * sine;
    }
    store<V>(at, first);
    store<V>(at + half, second);
  });
}

}  // namespace

}  // namespace g4::cuda

using namespace g4::cuda;

int g4_rope(g4_stream stream, g4_ptr x, g4_cptr cos_sin, g4_cptr positions_i32, int64_t rows, int64_t heads, int64_t head_dim, int64_t row_stride, int inverse, int dtype) {
  if (rows == 0 || heads == 0) return G4_OK;
  return with_storage(dtype, [&](auto type) {
    using T = decltype(type);
    const int64_t half = head_dim / 2;
    // x may be the key part of a row of queries, keys and values, so its own start counts too.
    const int64_t unit = aligned16(x) && row_stride % (16 / int64_t(sizeof(T))) == 0 ? half : 1;
    return with_vector<T>(unit, [&](auto vector) {
      constexpr int V = decltype(vector)::value;
      launch(rope_kernel<T, V>, row_tile_grid(rows, heads * half / V), row_tile_block(), 0, stream, static_cast<T*>(x), static_cast<const float*>(cos_sin),
             static_cast<const int32_t*>(positions_i32), rows, int(heads), int(half / V), row_stride, inverse != 0 ? -1.0f : 1.0f);
      return status();
    });
  });
}
