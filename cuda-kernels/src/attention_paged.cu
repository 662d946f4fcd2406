// The paged KV cache: appending to it, and attention of new query rows over it.
//
// Query rows cu_q[b] ... are the last rows of sequence b, whose kv_lens[b] positions lie in the cache blocks
// block_table[b * max_blocks ...]; row i sees positions <= kv_len - q_len + i. The formula is that of attention_forward.cu, and
// so are the bits: both add up tiles of 64 positions in ascending order (attention_softmax.cuh).
//
// The cache of this back end is [blocks, kv_heads, 32, head_dim] for keys as well as values (the CPU's keys are transposed): a
// block of a kv head is 4 KB (head_dim 64, bf16) in one piece, read by 16-byte copies.
//
// Decode reads the cache once and is bound by that: 4 head_dim bytes a position and kv head (bf16), 2 group of them multiplied
// with each, far below what the tensor cores could do. Three kernels:
//   - Tiles that neighbouring sequences hold in the same blocks (the prompt of a group of answers): one block of threads loads
//     such a tile once and takes the rows of all those sequences, times the heads of the group: 8 answers of 7 heads are 56 rows,
//     16 to a warp. It writes 4 (head_dim + 8) bytes for each row, 2 KB for each answer (group 7, head_dim 64) instead of the
//     16 KB that each would have read.
//   - The other tiles: a block for a sequence and kv head, its warps at different tiles, each with its own copies of k and v
//     under way and no barrier but the two around putting the tiles together. 64 KB of copies and 84 KB of shared memory a
//     block: two blocks an SM. At batch 256 and 2 kv heads there are 512 blocks for 264 places.
//   - With few sequences the first kernel takes every tile that all rows see, shared or not: more blocks, and the second
//     kernel has only the last tile left and the sum. No bit depends on that choice, nor on which sequences share what.
// Calls with many rows a sequence (prompts) take attention_kernel, which sees the cache through PagedKeys.
//
// Nothing is computed on the host, so a captured graph serves any lengths.
#include "attention_paged.cuh"
#include "cuda_ops.h"
#include "row_tile.cuh"

namespace g4::cuda {

namespace {

template <class T, int V>
__global__ void __launch_bounds__(kTileThreads) kv_append_kernel(T* k_cache, T* v_cache, const T* k, const T* v, int64_t kv_stride, const int32_t* slots, int64_t tokens, int kv_heads, int head_vectors) {
  for_row_tile(tokens, kv_heads * head_vectors, [&](int64_t token, int vector) {
    const int slot = slots[token];
    if (!G4_GUARD(slot >= 0)) return;
    const int head = vector / head_vectors, at = vector - head * head_vectors;
    const int64_t row = (int64_t(slot / kCacheBlock) * kv_heads + head) * kCacheBlock + slot % kCacheBlock;
    const int64_t to = (row * head_vectors + at) * V, from = token * kv_stride + int64_t(vector) * V;
    store_pack<V>(k_cache + to, load_pack<V>(k + from));
    store_pack<V>(v_cache + to, load_pack<V>(v + from));
  });
}

// Blocks of threads that keep an H200 (132 SMs) busy; with fewer, work is split over more of them.
constexpr int64_t kBusyBlocks = 2 * 132;

template <class T, int D>
void decode(g4_stream stream, const AttentionOperands<T>& in, const PagedBatch& batch, int64_t tokens, float* workspace, int64_t workspace_bytes) {
  const int64_t blocks = int64_t(batch.sequences) * batch.kv_heads, tiles = ceil_div(int64_t(batch.max_blocks) * kCacheBlock, kTileKeys);
  const int64_t tile_bytes = tokens * in.heads * (D + 8) * int64_t(sizeof(float));
  const int64_t room = workspace == nullptr || tokens <= 0 ? 0 : workspace_bytes / tile_bytes;
  const SharedTiles shares{batch, workspace, tokens * in.heads, int(room < tiles ? room : tiles), blocks < kBusyBlocks};
  if (shares.tiles > 0) {
    const int64_t wanted = shares.split ? ceil_div(2 * kBusyBlocks, blocks) : 2;
    const dim3 grid(unsigned(batch.sequences), unsigned(batch.kv_heads), unsigned(wanted < shares.tiles ? wanted : shares.tiles));
    launch(attention_shared_tiles_kernel<T, D>, grid, dim3(kSharedWarps * kWarp), shared_tiles_bytes(D), stream, in, shares);
  }
  launch(attention_decode_kernel<T, D>, dim3(unsigned(batch.sequences), unsigned(batch.kv_heads)), dim3(decode_warps(D) * kWarp), decode_shared_bytes(D), stream, in, shares);
}

}  // namespace

}  // namespace g4::cuda

using namespace g4::cuda;

int g4_kv_append(g4_stream stream, g4_ptr k_cache, g4_ptr v_cache, g4_cptr k, g4_cptr v, int64_t kv_stride, g4_cptr slots_i32, int64_t tokens, int64_t kv_heads, int64_t head_dim, int dtype) {
  if (tokens == 0) return G4_OK;
  return with_storage(dtype, [&](auto type) {
    using T = decltype(type);
    const bool aligned = aligned16(k) && aligned16(v) && kv_stride % (16 / int64_t(sizeof(T))) == 0;
    return with_vector<T>(aligned ? head_dim : 1, [&](auto vector) {
      constexpr int V = decltype(vector)::value;
      launch(kv_append_kernel<T, V>, row_tile_grid(tokens, kv_heads * head_dim / V), row_tile_block(), 0, stream, static_cast<T*>(k_cache), static_cast<T*>(v_cache),
             static_cast<const T*>(k), static_cast<const T*>(v), kv_stride, static_cast<const int32_t*>(slots_i32), tokens, int(kv_heads), int(head_dim / V));
      return status();
    });
  });
}

int g4_cuda_attention_paged(g4_stream stream, g4_ptr o, g4_cptr q, int64_t q_stride, g4_cptr k_cache, g4_cptr v_cache, g4_cptr block_table_i32, int64_t max_blocks, g4_cptr cu_q_i32, g4_cptr kv_lens_i32, int64_t sequences, int64_t tokens, int64_t heads, int64_t kv_heads, int64_t head_dim, int dtype, g4_ptr workspace, int64_t workspace_bytes) {
  if (sequences == 0) return G4_OK;
  if (head_dim > kMaxHeadDim) return G4_UNSUPPORTED;
  return with_storage(dtype, [&](auto type) -> int {
    using T = decltype(type);
    const Group group(heads / kv_heads);
    const AttentionOperands<T> in{static_cast<T*>(o), nullptr, static_cast<const T*>(q), static_cast<const T*>(k_cache), static_cast<const T*>(v_cache),
                                  q_stride, int(heads), int(head_dim), group, 1.0f / std::sqrt(float(head_dim))};
    const PagedBatch batch{static_cast<const int32_t*>(block_table_i32), static_cast<const int32_t*>(cu_q_i32), static_cast<const int32_t*>(kv_lens_i32),
                           int(sequences), int(max_blocks), int(kv_heads), int(head_dim)};
    // Without `tokens`: as many as there may be.
    const int64_t most = tokens > 0 ? tokens : sequences * max_blocks * kCacheBlock;
    const auto grid = [&](int64_t rows) { return dim3(unsigned(ceil_div(most * group.heads, rows) + sequences), unsigned(kv_heads)); };
    if constexpr (sizeof(T) == 2) {
      if (on_tensor_cores<T>(head_dim, q_stride, 0, {o, q, k_cache, v_cache}))
        return with_head_dim(head_dim, [&](auto dim) {
          constexpr int D = decltype(dim)::value;
          if (tokens >= 2 * sequences) {
            launch(attention_kernel<T, D, PagedBatch>, grid(kForwardRows), dim3(kForwardThreads), forward_shared_bytes(D), stream, in, batch);
          } else {
            decode<T, D>(stream, in, batch, tokens, static_cast<float*>(workspace), workspace_bytes);
          }
          return status();
        });
    }
    launch(attention_plain_kernel<T, PagedBatch>, grid(kPlainWarps), dim3(kPlainWarps * kWarp), 0, stream, in, batch);
    return status();
  });
}

int g4_attention_paged(g4_stream stream, g4_ptr o, g4_cptr q, int64_t q_stride, g4_cptr k_cache, g4_cptr v_cache, g4_cptr block_table_i32, int64_t max_blocks, g4_cptr cu_q_i32, g4_cptr kv_lens_i32, int64_t sequences, int64_t heads, int64_t kv_heads, int64_t head_dim, int dtype) {
  return g4_cuda_attention_paged(stream, o, q, q_stride, k_cache, v_cache, block_table_i32, max_blocks, cu_q_i32, kv_lens_i32, sequences, 0, heads, kv_heads, head_dim, dtype, nullptr, 0);
}
