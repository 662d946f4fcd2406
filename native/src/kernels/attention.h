// Causal grouped-query attention over packed segments: the forward pass of training and of whole prompts.
//
//   o_i = sum over j <= i of softmax_j(q_i . k_j head_dim^-0.5) v_j,  lse_i = log sum over j <= i of e^(q_i . k_j head_dim^-0.5)
//
// q [tokens, heads x head_dim], k and v [tokens, kv_heads x head_dim], each in rows of its own stride; query head h reads
// kv head h / (heads / kv_heads). 4 n^2 / 2 head_dim flops for each head of a sequence of n; n x n scores are never stored.
//
// Two loops. The first writes the transposed blocks of K (attention_tile.h) to the shared scratch, once for all the query
// heads of a group. The second takes tiles of 32 query rows; heads of one group and neighbouring positions share a tile.
//
// Blocks are counted from position 0 of the sequence, wherever its rows lie: those of a parent come first, then the segment's
// own. So a row meets the same blocks as in a cache or in a sequence of its own, and gets the same bits. V is read in place,
// but for the one block that begins in the parent and ends in the segment; that one is gathered.
#pragma once

#include "kernels/attention_tile.h"

namespace g4::G4_ISA {

// Where the keys of a segment lie, in order of position.
struct KeyRows {
  int64_t parent;  // first row of the parent
  int64_t prefix;  // rows of the parent; 0 without one
  int64_t own;     // first row of the segment itself
  int64_t count;   // rows of the segment itself

  int64_t length() const { return prefix + count; }
  // Whether the 32 positions from `start` on lie partly in the parent.
  bool split(int64_t start) const { return start < prefix && prefix < start + kBlockKeys; }
  int64_t row(int64_t position) const { return position < prefix ? parent + position : own + position - prefix; }

  // f(position, row, n) for each run of neighbouring rows that hold positions [begin, end).
  template <class F>
  void runs(int64_t begin, int64_t end, F&& f) const {
    if (begin < prefix) f(begin, parent + begin, std::min(end, prefix) - begin);
    const int64_t rest = std::max(begin, prefix);
    if (rest < end) f(rest, own + rest - prefix, end - rest);
  }
};

struct Segments {
  const int32_t* cu_seqlens;
  const int32_t* parents;  // or nullptr
  int64_t count;

  int64_t parent(int64_t b) const { return parents == nullptr ? -1 : parents[b]; }
  int64_t rows(int64_t b) const { return cu_seqlens[b + 1] - cu_seqlens[b]; }
  int64_t most_rows() const {
    int64_t most = 0;
    for (int64_t b = 0; b < count; b++) most = std::max(most, rows(b));
    return most;
  }
  KeyRows operator[](int64_t b) const {
    const int64_t p = parent(b);
    return p < 0 ? KeyRows{0, 0, cu_seqlens[b], rows(b)} : KeyRows{cu_seqlens[p], rows(p), cu_seqlens[b], rows(b)};
  }
};

// [head_dim][32] <- the positions of x from `start` on, at most 32; lanes without a row are 0.
template <class T>
inline void transpose_block(float* out, const T* x, int64_t stride, const KeyRows& rows, int64_t start, int64_t head_dim) {
  const int64_t end = std::min<int64_t>(start + kBlockKeys, rows.length());
  if (end < start + kBlockKeys) std::fill(out, out + head_dim * kBlockKeys, 0.0f);
  rows.runs(start, end, [&](int64_t position, int64_t row, int64_t n) {
    for (int64_t j = 0; j < n; j++)
      for (int64_t d = 0; d < head_dim; d++) out[d * kBlockKeys + position - start + j] = to_float(x[(row + j) * stride + d]);
  });
}

template <class T>
struct AttentionForward {
  T* o;
  float* lse;
  const T* q;
  const T* k;
  const T* v;
  int64_t q_stride, kv_stride;
  Segments segments;
  int64_t heads, kv_heads, head_dim;

  int64_t group() const { return heads / kv_heads; }

  // The shared scratch of a segment and a kv head: transposed blocks of K, then the values of the block that is split.
  int64_t pair_floats(int64_t blocks) const { return (blocks + (segments.parents != nullptr)) * kBlockKeys * head_dim; }
  T* split_values(float* keys, int64_t blocks) const { return reinterpret_cast<T*>(keys + blocks * kBlockKeys * head_dim); }

  void pack(float* keys, int64_t blocks, int64_t segment, int64_t kv_head, int64_t block) const {
    const KeyRows rows = segments[segment];
    const int64_t start = block * kBlockKeys;
    if (start >= rows.length()) return;
    transpose_block(keys + start * head_dim, k + kv_head * head_dim, kv_stride, rows, start, head_dim);
    if (!rows.split(start)) return;
    rows.runs(start, std::min<int64_t>(start + kBlockKeys, rows.length()), [&](int64_t position, int64_t row, int64_t n) {
      const T* from = v + row * kv_stride + kv_head * head_dim;
      T* to = split_values(keys, blocks) + (position - start) * head_dim;
      for (int64_t j = 0; j < n; j++) std::copy(from + j * kv_stride, from + j * kv_stride + head_dim, to + j * head_dim);
    });
  }

  // Rows [first, first + kQueryRows) of one kv head.
  void tile(float* scratch, float* keys, int64_t blocks, int64_t segment, int64_t kv_head, int64_t first) const {
    const KeyRows rows = segments[segment];
    const int64_t last = std::min(first + kQueryRows, rows.count * group());
    AttentionTile tile(scratch, head_dim);
    GroupRow row(first, group());
    for (int64_t i = first; i < last; i++, row.next(group()))
      tile.add_row(q + (rows.own + row.position) * q_stride + (kv_head * group() + row.head) * head_dim, rows.prefix + row.position + 1, head_dim);
    const auto values_of = [&](int64_t b) {
      const int64_t start = b * kBlockKeys;
      if (rows.split(start)) return ValueRows<T>{split_values(keys, blocks), head_dim};
      return ValueRows<T>{v + rows.row(start) * kv_stride + kv_head * head_dim, kv_stride};
    };
    const RowRange all{0, tile.rows};
    tile.attend(all, 0, tile.blocks(all), head_dim, [&](int64_t b) { return keys + b * kBlockKeys * head_dim; }, values_of,
                [](int64_t) { return NextBlock{}; });
    row = GroupRow(first, group());
    for (int64_t i = first; i < last; i++, row.next(group())) {
      const int64_t out = (rows.own + row.position) * heads + kv_head * group() + row.head;
      tile.write(int(i - first), o + out * head_dim, lse == nullptr ? nullptr : lse + out, head_dim);
    }
  }
};

inline int attention(g4_stream handle, g4_ptr o, g4_ptr lse, g4_cptr q, g4_cptr k, g4_cptr v, int64_t q_stride, int64_t kv_stride, g4_cptr cu_seqlens_i32, g4_cptr parents_i32, int64_t segments, int64_t max_seqlen, int64_t heads, int64_t kv_heads, int64_t head_dim, int dtype) {
  Stream& stream = stream_of(handle);
  const int64_t blocks = (max_seqlen + kBlockKeys - 1) / kBlockKeys;
  if (segments == 0 || max_seqlen == 0) return G4_OK;
  return with_type(dtype, [&](auto type) {
    using T = decltype(type);
    const AttentionForward<T> op{static_cast<T*>(o), static_cast<float*>(lse), static_cast<const T*>(q), static_cast<const T*>(k), static_cast<const T*>(v), q_stride, kv_stride,
                                 Segments{static_cast<const int32_t*>(cu_seqlens_i32), static_cast<const int32_t*>(parents_i32), segments}, heads, kv_heads, head_dim};
    // A pair is a segment and a kv head. As many at once as their keys fit in the scratch.
    const int64_t floats = op.pair_floats(blocks);
    const int64_t pairs_at_once = int64_t(Stream::kSharedScratchBytes / sizeof(float)) / floats;
    if (pairs_at_once < 1 || size_t(AttentionTile::floats(head_dim)) * sizeof(float) > Stream::kScratchBytes) return G4_UNSUPPORTED;
    float* shared = reinterpret_cast<float*>(stream.shared_scratch());
    const int64_t tiles = (op.segments.most_rows() * op.group() + kQueryRows - 1) / kQueryRows;
    const double tile_ns = attention_ns(double(kQueryRows) * double(max_seqlen) / 2, head_dim);
    for (int64_t first = 0; first < segments * kv_heads; first += pairs_at_once) {
      const int64_t pairs = std::min(pairs_at_once, segments * kv_heads - first);
      for_tasks(stream, pairs * blocks, double(kBlockKeys * head_dim), [&](int64_t i, int) {
        const int64_t pair = first + i / blocks;
        op.pack(shared + (pair - first) * floats, blocks, pair / kv_heads, pair % kv_heads, i % blocks);
      });
      // The last tiles of a segment see the most keys: they go first, so that the short ones fill the gaps at the end.
      for_tasks(stream, pairs * tiles, tile_ns, [&](int64_t i, int thread) {
        const int64_t pair = first + i % pairs;
        const int64_t row = (tiles - 1 - i / pairs) * kQueryRows;
        if (row >= op.segments.rows(pair / kv_heads) * op.group()) return;
        op.tile(reinterpret_cast<float*>(stream.scratch(thread)), shared + (pair - first) * floats, blocks, pair / kv_heads, pair % kv_heads, row);
      });
    }
    return G4_OK;
  });
}

}  // namespace g4::G4_ISA
