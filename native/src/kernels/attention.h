// Causal grouped-query attention over packed sequences: the forward pass of training and of whole prompts.
//
//   o_i = sum over j <= i of softmax_j(q_i . k_j head_dim^-0.5) v_j,  lse_i = log sum over j <= i of e^(q_i . k_j head_dim^-0.5)
//
// q [tokens, heads x head_dim], k and v [tokens, kv_heads x head_dim], each in rows of its own stride; query head h reads
// kv head h / (heads / kv_heads). 4 n^2 / 2 head_dim flops for each head of a sequence of n; n x n scores are never stored.
//
// Two loops. The first writes the transposed blocks of K (attention_tile.h) to the shared scratch, once for all the query
// heads of a group. The second takes tiles of 32 query rows; heads of one group and neighbouring positions share a tile.
#pragma once

#include "kernels/attention_tile.h"

namespace g4::G4_ISA {

// [head_dim][32] <- up to 32 rows of k; lanes without a row are 0.
template <class T>
inline void transpose_block(float* out, const T* k, int64_t k_stride, int64_t rows, int64_t head_dim) {
  if (rows < kBlockKeys) std::fill(out, out + head_dim * kBlockKeys, 0.0f);
  for (int64_t j = 0; j < rows; j++)
    for (int64_t d = 0; d < head_dim; d++) out[d * kBlockKeys + j] = to_float(k[j * k_stride + d]);
}

template <class T>
struct AttentionForward {
  T* o;
  float* lse;
  const T* q;
  const T* k;
  const T* v;
  int64_t q_stride, kv_stride;
  const int32_t* cu_seqlens;
  int64_t heads, kv_heads, head_dim;

  int64_t group() const { return heads / kv_heads; }
  int64_t length(int64_t sequence) const { return cu_seqlens[sequence + 1] - cu_seqlens[sequence]; }

  void pack(float* keys, int64_t sequence, int64_t kv_head, int64_t block) const {
    const int64_t row = cu_seqlens[sequence] + block * kBlockKeys;
    transpose_block(keys + block * kBlockKeys * head_dim, k + row * kv_stride + kv_head * head_dim, kv_stride,
                    std::min<int64_t>(kBlockKeys, length(sequence) - block * kBlockKeys), head_dim);
  }

  // Rows [first, first + kQueryRows) of one kv head.
  void tile(float* scratch, const float* keys, int64_t sequence, int64_t kv_head, int64_t first) const {
    const int64_t start = cu_seqlens[sequence];
    const int64_t last = std::min(first + kQueryRows, length(sequence) * group());
    AttentionTile tile(scratch, head_dim);
    GroupRow row(first, group());
    for (int64_t i = first; i < last; i++, row.next(group()))
      tile.add_row(q + (start + row.position) * q_stride + (kv_head * group() + row.head) * head_dim, row.position + 1, head_dim);
    const T* values = v + start * kv_stride + kv_head * head_dim;
    tile.attend(kv_stride, head_dim, [&](int64_t b) { return keys + b * kBlockKeys * head_dim; },
                [&](int64_t b) { return values + b * kBlockKeys * kv_stride; });
    row = GroupRow(first, group());
    for (int64_t i = first; i < last; i++, row.next(group())) {
      const int64_t out = (start + row.position) * heads + kv_head * group() + row.head;
      tile.write(int(i - first), o + out * head_dim, lse == nullptr ? nullptr : lse + out, head_dim);
    }
  }
};

inline int attention(g4_stream handle, g4_ptr o, g4_ptr lse, g4_cptr q, g4_cptr k, g4_cptr v, int64_t q_stride, int64_t kv_stride, g4_cptr cu_seqlens_i32, int64_t sequences, int64_t max_seqlen, int64_t heads, int64_t kv_heads, int64_t head_dim, int dtype) {
  Stream& stream = stream_of(handle);
  const int64_t blocks = (max_seqlen + kBlockKeys - 1) / kBlockKeys;
  const int64_t floats = blocks * kBlockKeys * head_dim;
  if (sequences == 0 || max_seqlen == 0) return G4_OK;
  // A pair is a sequence and a kv head. As many at once as their keys fit in the scratch.
  const int64_t pairs_at_once = int64_t(Stream::kSharedScratchBytes / sizeof(float)) / floats;
  if (pairs_at_once < 1 || size_t(AttentionTile::floats(head_dim)) * sizeof(float) > Stream::kScratchBytes) return G4_UNSUPPORTED;
  float* shared = reinterpret_cast<float*>(stream.shared_scratch());
  return with_type(dtype, [&](auto type) {
    using T = decltype(type);
    const AttentionForward<T> op{static_cast<T*>(o), static_cast<float*>(lse), static_cast<const T*>(q), static_cast<const T*>(k), static_cast<const T*>(v),
                                 q_stride, kv_stride, static_cast<const int32_t*>(cu_seqlens_i32), heads, kv_heads, head_dim};
    const int64_t tiles = (max_seqlen * op.group() + kQueryRows - 1) / kQueryRows;
    const double tile_ns = attention_ns(double(kQueryRows) * double(max_seqlen) / 2, head_dim);
    for (int64_t first = 0; first < sequences * kv_heads; first += pairs_at_once) {
      const int64_t pairs = std::min(pairs_at_once, sequences * kv_heads - first);
      for_tasks(stream, pairs * blocks, double(kBlockKeys * head_dim), [&](int64_t i, int) {
        const int64_t pair = first + i / blocks;
        if (i % blocks * kBlockKeys < op.length(pair / kv_heads)) op.pack(shared + (pair - first) * floats, pair / kv_heads, pair % kv_heads, i % blocks);
      });
      // The last tiles of a sequence see the most keys: they go first, so that the short ones fill the gaps at the end.
      for_tasks(stream, pairs * tiles, tile_ns, [&](int64_t i, int thread) {
        const int64_t pair = first + i % pairs;
        const int64_t row = (tiles - 1 - i / pairs) * kQueryRows;
        if (row >= op.length(pair / kv_heads) * op.group()) return;
        op.tile(reinterpret_cast<float*>(stream.scratch(thread)), shared + (pair - first) * floats, pair / kv_heads, pair % kv_heads, row);
      });
    }
    return G4_OK;
  });
}

}  // namespace g4::G4_ISA
