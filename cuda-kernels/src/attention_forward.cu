// Causal grouped-query attention over packed segments, forward (online softmax: Milakov & Gimelshein 2018, Dao 2023).
//
//   o_i = sum over j <= i of softmax_j(q_i . k_j head_dim^-0.5) v_j,  lse_i = log sum over j <= i of e^(q_i . k_j head_dim^-0.5)
//
// q [tokens, heads x head_dim], k and v [tokens, kv_heads x head_dim], each in rows of its own stride; o dense. A child
// segment's keys are the rows of its parent, then its own.
//
// Tensor cores (16-bit storage, head_dim 64 and 128): a block takes 128 query rows of one kv head (all heads of its group: 18
// positions of a group of 7), a warp 32 of them, and walks through the keys in tiles of 64. Scores and probabilities never
// leave registers. While one tile is multiplied the next half (v, then k) comes in by cp.async, so there are two barriers and
// two waits a tile, each for a copy that had a product's time to arrive.
//
// Figures, for a warp and a tile of 64 keys, head_dim D: 2 D products of 16 x 8 x 16 (8,192 D flops); shared memory read: 320 D
// bytes, of them 256 D of k and v. At 128 bytes a clock that feeds an SM with 3,277 flops a clock, 80 % of the data sheet's
// 4,096 and more than mma.sync reaches on Hopper (about 60 %; the rest takes wgmma). 32 rows a warp are what makes it so: with
// 16, each fragment of k and v would serve half the flops. Around the products a lane does about 5 instructions for each of 64
// scores and 2 for each of D outputs.
// Device memory: q, o once; k and v once for every 128 query rows, from L2 mostly: 128 rows x 64 keys are 2.1 Mflop (D = 64)
// for 16 KB. So the kernel is bound by arithmetic from a few dozen positions on.
// Shared memory 33 KB (D = 64) or 65 KB. nvcc takes 247 (D = 64) and 255 registers: 2 blocks of 4 warps an SM, one computes
// while the other waits. 8,192 tokens of 14 heads over 2 kv heads are 896 blocks for 264 places; the longest start first.
//
// Every other head_dim, and fp32, take the plain path: a warp for each query row, scalar arithmetic.
#include "attention_forward.cuh"

using namespace g4::cuda;

int g4_attention(g4_stream stream, g4_ptr o, g4_ptr lse, g4_cptr q, g4_cptr k, g4_cptr v, int64_t q_stride, int64_t kv_stride, g4_cptr cu_seqlens_i32, g4_cptr parents_i32, int64_t segments, int64_t max_seqlen, int64_t heads, int64_t kv_heads, int64_t head_dim, int dtype) {
  if (segments == 0 || max_seqlen == 0) return G4_OK;
  if (head_dim > kMaxHeadDim) return G4_UNSUPPORTED;
  return with_storage(dtype, [&](auto type) -> int {
    using T = decltype(type);
    const Group group(heads / kv_heads);
    const AttentionOperands<T> in{static_cast<T*>(o), static_cast<float*>(lse), static_cast<const T*>(q), static_cast<const T*>(k), static_cast<const T*>(v),
                                  q_stride, int(heads), int(head_dim), group, 1.0f / std::sqrt(float(head_dim))};
    const bool tensor_cores = on_tensor_cores<T>(head_dim, q_stride, kv_stride, {o, q, k, v});
    const int64_t tiles = ceil_div(max_seqlen * group.heads, tensor_cores ? kForwardRows : kPlainWarps);
    const PackedBatch batch{static_cast<const int32_t*>(cu_seqlens_i32), static_cast<const int32_t*>(parents_i32), int(segments), int(tiles), kv_stride, int(head_dim)};
    const dim3 grid(unsigned(tiles * segments), unsigned(kv_heads));
    if constexpr (sizeof(T) == 2) {
      if (tensor_cores)
        return with_head_dim(head_dim, [&](auto dim) {
          launch(attention_kernel<T, decltype(dim)::value, PackedBatch>, grid, dim3(kForwardThreads), forward_shared_bytes(int(head_dim)), stream, in, batch);
          return status();
        });
    }
    launch(attention_plain_kernel<T, PackedBatch>, grid, dim3(kPlainWarps * kWarp), 0, stream, in, batch);
    return status();
  });
}
