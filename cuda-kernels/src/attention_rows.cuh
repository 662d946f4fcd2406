// Which query rows a block works on, and where the keys of their sequence lie.
//
// The query rows of one kv head are numbered position * group + head in the group, position counting from the first own row
// of the segment (or from the first query row of a paged sequence). So the heads of a group share a tile and with it the keys
// and values it reads, and rows beside each other see nearly the same keys.
#pragma once

#include "device.cuh"

namespace g4::cuda {

constexpr int kCacheBlock = 32;  // positions in a block of the paged cache

// Key position -> element offset of its row of this kv head.
struct PackedKeys {
  int parent_length;
  int parent, own;  // row of position 0, where the position is the parent's and where it is an own one
  int column;
  int64_t stride;

  __device__ __forceinline__ int row(int position) const { return position + (position < parent_length ? parent : own); }
  __device__ __forceinline__ int64_t offset(int position) const { return int64_t(row(position)) * stride + column; }
};

// The cache of a layer is [blocks, kv_heads, 32, head_dim], for keys as for values.
struct PagedKeys {
  const int32_t* table;
  int kv_heads, kv_head, head_dim;

  __device__ __forceinline__ int64_t offset(int position) const {
    const int64_t block = table[position / kCacheBlock];
    return ((block * kv_heads + kv_head) * kCacheBlock + position % kCacheBlock) * head_dim;
  }
};

// The heads of a group, and the division of row numbers by their count: exact for rows * heads < 2^32.
struct Group {
  int heads;
  uint64_t reciprocal;

  explicit Group(int64_t heads_) : heads(int(heads_)), reciprocal(((uint64_t(1) << 32) + uint64_t(heads_) - 1) / uint64_t(heads_)) {}
  __device__ __forceinline__ int position(int row) const { return int(uint64_t(uint32_t(row)) * reciprocal >> 32); }
};

// A tile of query rows: [first, rows) of a sequence whose row 0 is token `token` and sees `before` keys and itself.
struct QueryRows {
  int token;
  int first, rows;
  int before;

  // Row numbers past the end are taken for the last row.
  __device__ __forceinline__ int visible(int row, const Group& group) const { return before + group.position(row < rows ? row : rows - 1) + 1; }
};

// The segments of g4_attention (ops.h).
struct PackedBatch {
  using Keys = PackedKeys;
  const int32_t* cu_seqlens;
  const int32_t* parents;  // may be null
  int segments, tiles;     // tiles: of the longest segment
  int64_t kv_stride;
  int head_dim;

  __device__ __forceinline__ PackedKeys keys(int segment, int kv_head) const {
    const int parent = parents != nullptr ? parents[segment] : -1;
    PackedKeys keys{0, 0, cu_seqlens[segment], kv_head * head_dim, kv_stride};
    if (parent >= 0) {
      keys.parent_length = length(parent);
      keys.parent = cu_seqlens[parent];
      keys.own -= keys.parent_length;
    }
    return keys;
  }
  __device__ __forceinline__ int length(int segment) const { return cu_seqlens[segment + 1] - cu_seqlens[segment]; }

  // Tile `index` of all; false where the segment is shorter. The last tiles of a segment see the most keys and go first.
  __device__ __forceinline__ bool find(int index, int tile_rows, const Group& group, int kv_head, QueryRows& query, PackedKeys& its_keys) const {
    const int segment = index % segments;
    its_keys = keys(segment, kv_head);
    query = {cu_seqlens[segment], (tiles - 1 - index / segments) * tile_rows, length(segment) * group.heads, its_keys.parent_length};
    return query.first < query.rows;
  }
};

// The sequences of g4_attention_paged.
struct PagedBatch {
  using Keys = PagedKeys;
  const int32_t* block_table;
  const int32_t* cu_q;
  const int32_t* kv_lens;
  int sequences, max_blocks;
  int kv_heads, head_dim;

  __device__ __forceinline__ PagedKeys keys(int sequence, int kv_head) const {
    return {block_table + int64_t(sequence) * max_blocks, kv_heads, kv_head, head_dim};
  }
  __device__ __forceinline__ int queries(int sequence) const { return cu_q[sequence + 1] - cu_q[sequence]; }

  // Tiles are counted through the sequences, so the grid needs no more of them than there are rows.
  __device__ __forceinline__ bool find(int index, int tile_rows, const Group& group, int kv_head, QueryRows& query, PagedKeys& its_keys) const {
    for (int b = 0; b < sequences; b++) {
      const int rows = queries(b) * group.heads, tiles = (rows + tile_rows - 1) / tile_rows;
      if (index < tiles) {
        its_keys = keys(b, kv_head);
        query = {cu_q[b], index * tile_rows, rows, kv_lens[b] - queries(b)};
        return true;
      }
      index -= tiles;
    }
    return false;
  }
};

}  // namespace g4::cuda
