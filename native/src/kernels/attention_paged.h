// Attention over the paged KV cache: decode, chunked prefill, answers that share the blocks of their prompt.
//
// k_cache [blocks, kv_heads, head_dim, 32], v_cache [blocks, kv_heads, 32, head_dim]: a block of one kv head is exactly what a
// tile of attention_tile.h reads, so the rows come out with the bits of g4_attention. Decode is bound by memory: every cached
// key and value is read once for all query heads of its group, and those of a prompt once for several of its answers.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/attention_tile.h"

namespace g4::G4_ISA {

inline int kv_append(g4_stream handle, g4_ptr k_cache, g4_ptr v_cache, g4_cptr k, g4_cptr v, int64_t kv_stride, g4_cptr slots_i32, int64_t tokens, int64_t kv_heads, int64_t head_dim, int dtype) {
  const int32_t* slots = static_cast<const int32_t*>(slots_i32);
  return with_type(dtype, [&](auto type) {
    using T = decltype(type);
    // Every element of a key goes to a cache line of its own.
    for_rows(stream_of(handle), tokens, double(kv_heads * head_dim) * 10, [&](int64_t begin, int64_t end, int) {
      for (int64_t t = begin; t < end; t++) {
        if (slots[t] < 0) continue;
        const int64_t offset = slots[t] % kBlockKeys;
        for (int64_t h = 0; h < kv_heads; h++) {
          const int64_t base = (slots[t] / kBlockKeys * kv_heads + h) * kBlockKeys * head_dim;
          const T* key = static_cast<const T*>(k) + t * kv_stride + h * head_dim;
          const T* value = static_cast<const T*>(v) + t * kv_stride + h * head_dim;
          T* keys = static_cast<T*>(k_cache) + base + offset;
          for (int64_t d = 0; d < head_dim; d++) keys[d * kBlockKeys] = key[d];
          std::copy(value, value + head_dim, static_cast<T*>(v_cache) + base + offset * head_dim);
        }
      }
    });
    return G4_OK;
  });
}

// A shared-prefix group: neighbouring sequences whose block tables begin with the same `shared` blocks, such as the completions of one
// prompt. The blocks are read once for all of them. A sequence with several query rows (prefill) is never grouped.
struct SharedPrefixGroup {
  int64_t first, end;
  int64_t shared;
};

template <class T>
struct PagedAttention {
  T* o;
  const T* q;
  int64_t q_stride;
  const T* k_cache;
  const T* v_cache;
  const int32_t* block_table;
  int64_t max_blocks;
  const int32_t* cu_q;
  const int32_t* kv_lens;
  int64_t heads, kv_heads, head_dim;

  int64_t group() const { return heads / kv_heads; }
  int64_t rows(int64_t sequence) const { return cu_q[sequence + 1] - cu_q[sequence]; }
  int64_t query_rows(const SharedPrefixGroup& prefix_group) const { return (cu_q[prefix_group.end] - cu_q[prefix_group.first]) * group(); }
  const int32_t* table(int64_t sequence) const { return block_table + sequence * max_blocks; }

  // Blocks that a decoding sequence's query row sees whole: those that it may share.
  int64_t whole_blocks(int64_t sequence) const { return rows(sequence) == 1 ? (kv_lens[sequence] - 1) / kBlockKeys : 0; }

  // The sequences in shared-prefix groups of at most `most`.
  std::vector<SharedPrefixGroup> shared_prefix_groups(int64_t sequences, int64_t most) const {
    std::vector<SharedPrefixGroup> all;
    for (int64_t s = 0; s < sequences; s++) {
      const int64_t whole = whole_blocks(s);
      if (!all.empty() && s - all.back().first < most) {
        SharedPrefixGroup& last = all.back();
        const int32_t* const blocks = table(last.first);
        const int64_t shared = std::mismatch(blocks, blocks + std::min(last.shared, whole), table(s)).first - blocks;
        if (shared > 0) {
          last = {last.first, s + 1, shared};
          continue;
        }
      }
      all.push_back({s, s + 1, whole});
    }
    return all;
  }

  // The work of a task: some query rows of one kv head.
  struct Piece {
    SharedPrefixGroup prefix_group;
    int64_t kv_head;
  };

  int64_t offset(int64_t sequence, int64_t kv_head, int64_t block) const {
    return (int64_t(table(sequence)[block]) * kv_heads + kv_head) * kBlockKeys * head_dim;
  }
  NextBlock block_of(int64_t sequence, int64_t kv_head, int64_t block) const {
    const int64_t at = offset(sequence, kv_head, block);
    return {reinterpret_cast<const char*>(k_cache + at), reinterpret_cast<const char*>(v_cache + at)};
  }
  NextBlock first_block(const Piece& piece) const { return block_of(piece.prefix_group.first, piece.kv_head, 0); }

  // Blocks [begin, end) of a sequence's table.
  void attend(AttentionTile& tile, RowRange range, int64_t sequence, int64_t kv_head, int64_t begin, int64_t end, NextBlock after) const {
    tile.attend(
        range, begin, end, head_dim, [&](int64_t b) { return k_cache + offset(sequence, kv_head, b); },
        [&](int64_t b) { return ValueRows<T>{v_cache + offset(sequence, kv_head, b), head_dim}; },
        [&](int64_t b) { return block_of(sequence, kv_head, b); }, after);
  }

  // Query rows [first, first + kQueryRows) of a piece. after: what the thread will want next.
  void tile(float* scratch, const Piece& piece, int64_t first, NextBlock after) const {
    const auto [begin, end, shared] = piece.prefix_group;
    AttentionTile tile(scratch, head_dim);
    const int64_t last = std::min(first + kQueryRows, query_rows(piece.prefix_group));
    const auto for_query_rows = [&](auto&& f) {  // f(row of q and o, head)
      GroupRow row(first, group());
      for (int64_t i = first; i < last; i++, row.next(group())) f(cu_q[begin] + row.position, piece.kv_head * group() + row.head);
    };
    int64_t sequence = begin;
    for_query_rows([&](int64_t row, int64_t head) {
      while (row >= cu_q[sequence + 1]) sequence++;
      tile.add_row(q + row * q_stride + head * head_dim, kv_lens[sequence] - (cu_q[sequence + 1] - row - 1), head_dim);
    });
    if (shared > 0) attend(tile, {0, tile.rows}, begin, piece.kv_head, 0, shared, block_of(begin, piece.kv_head, shared));
    const int rows_each = tile.rows / int(end - begin);
    for (int64_t s = begin; s < end; s++) {
      const int row = int(s - begin) * rows_each;
      const RowRange range{row, row + rows_each};
      attend(tile, range, s, piece.kv_head, shared, tile.blocks(range), s + 1 < end ? block_of(s + 1, piece.kv_head, shared) : after);
    }
    int written = 0;
    for_query_rows([&](int64_t row, int64_t head) { tile.write(written++, o + (row * heads + head) * head_dim, nullptr, head_dim); });
  }
};

inline int attention_paged(g4_stream handle, g4_ptr o, g4_cptr q, int64_t q_stride, g4_cptr k_cache, g4_cptr v_cache, g4_cptr block_table_i32, int64_t max_blocks, g4_cptr cu_q_i32, g4_cptr kv_lens_i32, int64_t sequences, int64_t heads, int64_t kv_heads, int64_t head_dim, int dtype) {
  Stream& stream = stream_of(handle);
  if (size_t(AttentionTile::floats(head_dim)) * sizeof(float) > Stream::kScratchBytes) return G4_UNSUPPORTED;
  return with_type(dtype, [&](auto type) {
    using T = decltype(type);
    const PagedAttention<T> op{static_cast<T*>(o), static_cast<const T*>(q), q_stride, static_cast<const T*>(k_cache), static_cast<const T*>(v_cache),
                               static_cast<const int32_t*>(block_table_i32), max_blocks, static_cast<const int32_t*>(cu_q_i32),
                               static_cast<const int32_t*>(kv_lens_i32), heads, kv_heads, head_dim};
    int64_t most_rows = 0;
    double work = 0;
    for (int64_t b = 0; b < sequences; b++) {
      most_rows = std::max(most_rows, op.rows(b));
      work += double(op.rows(b)) * double(op.kv_lens[b]) * double(heads);
    }
    // Shared-prefix groups so small that every thread has a few.
    const int64_t most = std::clamp<int64_t>(sequences * kv_heads / (stream.threads() * 4), 1, std::max<int64_t>(1, kQueryRows / op.group()));
    const std::vector<SharedPrefixGroup> prefix_groups = op.shared_prefix_groups(sequences, most);
    const int64_t tiles = (most_rows * op.group() + kQueryRows - 1) / kQueryRows, pieces = int64_t(prefix_groups.size()) * kv_heads;
    const auto piece_of = [&](int64_t i) { return typename PagedAttention<T>::Piece{prefix_groups[size_t(i % pieces / kv_heads)], i % kv_heads}; };
    // Pieces are taken some at a time, so that a thread knows which block comes after a piece's last; after the last piece it is
    // likely to be that of as many tasks ahead as there are threads.
    const int64_t share = std::max<int64_t>(1, tiles * pieces / (stream.threads() * 8)), count = (tiles * pieces + share - 1) / share;
    for_tasks(stream, count, attention_ns(work, head_dim) / double(std::max<int64_t>(count, 1)), [&](int64_t task, int thread) {
      const int64_t end = std::min(tiles * pieces, (task + 1) * share);
      for (int64_t i = task * share; i < end; i++) {
        const auto piece = piece_of(i);
        const int64_t row = (tiles - 1 - i / pieces) * kQueryRows;
        if (row >= op.query_rows(piece.prefix_group)) continue;
        const int64_t next = i + 1 < end ? i + 1 : (task + stream.threads()) * share;
        op.tile(reinterpret_cast<float*>(stream.scratch(thread)), piece, row, next < tiles * pieces ? op.first_block(piece_of(next)) : NextBlock{});
      }
    });
    return G4_OK;
  });
}

}  // namespace g4::G4_ISA
