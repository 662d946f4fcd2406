// The embedding table: rows of it by token id, and its gradient.
//
//   y[t] = w[ids[t]],  dw[ids[t]] += dy[t]
//
// w [vocab, width] plain row-major on this back end (the order of a weight matrix is the back end's own), y and dy
// [tokens, width], dw f32 [vocab, width].
//
// Forward: 4 bytes an element in bf16 (a row in, a row out), whole rows in vectors of 16 bytes.
//
// Backward adds the rows of one id in token order, without atomics, sorting or scratch memory, so its bits are those of a
// plain loop. Block (t, part) first looks for ids[t] among the tokens before t: if it is there, the block of its first
// occurrence does the work and this one ends. Otherwise it walks on through the rest of the ids, 128 at a time, and each
// thread adds up its own columns in registers: dw is read and written once. Bytes per element, bf16: 2 (dy in) and 8 for each
// distinct id (dw in and out). The search compares tokens^2 ids at most, from L2: at 16,384 tokens 1.1 GB, so there it, and
// not the rows (29 MB at width 896), is what the kernel costs. Much longer batches would be better sorted first.
#include "row_tile.cuh"
#include "vector.cuh"

namespace g4::cuda {

namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / kWarp;

template <class T, int V>
__global__ void __launch_bounds__(kTileThreads) embedding_kernel(T* y, const T* w, const int32_t* ids, int64_t tokens, int width) {
  for_row_tile(tokens, width / V, [&](int64_t token, int vector) {
    store_pack<V>(y + token * width + vector * V, load_pack<V>(w + int64_t(ids[token]) * width + vector * V));
  });
}

template <class T, int V>
__global__ void __launch_bounds__(kThreads) embedding_backward_kernel(float* dw, const T* dy, const int32_t* ids, int64_t tokens, int width) {
  // Two sets of masks by turns, so that one barrier a step is enough: a warp that is one step ahead writes the other set.
  G4_SHARED(unsigned, masks, 2 * kWarps);
  const int64_t token = blockIdx.x;
  const int32_t id = ids[token];
  const int column = (int(blockIdx.y) * kThreads + int(threadIdx.x)) * V;
  const bool has_column = G4_GUARD(column < width);
  float* out = dw + int64_t(id) * width + column;
  Floats<V> sum{};
  int turn = 0;
  for (int64_t step = 0; step < tokens; step += kThreads, turn ^= 1) {
    const int64_t mine = step + threadIdx.x;
    const unsigned found = __ballot_sync(kAllLanes, G4_GUARD(mine < tokens) && ids[mine] == id);
    if (threadIdx.x % kWarp == 0) masks[turn * kWarps + threadIdx.x / kWarp] = found;
    __syncthreads();
#pragma unroll
    for (int warp = 0; warp < kWarps; warp++) {
      for (unsigned left = masks[turn * kWarps + warp]; left != 0; left &= left - 1) {
        const int64_t match = step + warp * kWarp + __ffs(int(left)) - 1;
        if (match < token) return;  // the same for the whole block: its first occurrence is earlier
        if (!has_column) continue;
        if (match == token) sum = load<V>(out);  // only now is it sure that no other block writes there
        const Floats<V> d = load<V>(dy + match * width + column);
#pragma unroll
        for (int k = 0; k < V; k++) sum.e[k] += d.e[k];
      }
    }
  }
  if (has_column) store_pack<V>(out, sum);
}

}  // namespace

}  // namespace g4::cuda

using namespace g4::cuda;

int g4_embedding(g4_stream stream, g4_ptr y, g4_cptr w, g4_cptr ids_i32, int64_t tokens, int64_t, int64_t width, int dtype) {
  if (tokens == 0) return G4_OK;
  return with_storage(dtype, [&](auto type) {
    using T = decltype(type);
    return with_vector<T>(width, [&](auto vector) {
      constexpr int V = decltype(vector)::value;
      launch(embedding_kernel<T, V>, row_tile_grid(tokens, width / V), row_tile_block(), 0, stream, static_cast<T*>(y), static_cast<const T*>(w),
             static_cast<const int32_t*>(ids_i32), tokens, int(width));
      return status();
    });
  });
}

int g4_embedding_backward(g4_stream stream, g4_ptr dw, g4_cptr dy, g4_cptr ids_i32, int64_t tokens, int64_t, int64_t width, int dtype) {
  if (tokens == 0) return G4_OK;
  return with_storage(dtype, [&](auto type) {
    using T = decltype(type);
    return with_vector<T>(width, [&](auto vector) {
      constexpr int V = decltype(vector)::value;
      launch(embedding_backward_kernel<T, V>, dim3(unsigned(tokens), unsigned(ceil_div(width / V, kThreads))), dim3(kThreads), 0, stream,
             static_cast<float*>(dw), static_cast<const T*>(dy), static_cast<const int32_t*>(ids_i32), tokens, int(width));
      return status();
    });
  });
}
