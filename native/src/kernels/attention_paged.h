// Attention over the paged KV cache: decode, chunked prefill, answers that share the blocks of their prompt.
//
// k_cache [blocks, kv_heads, head_dim, 32], v_cache [blocks, kv_heads, 32, head_dim]: a block of one kv head is exactly what a
// tile of attention_tile.h reads, so the rows come out with the bits of g4_attention. Decode is bound by memory: every cached
// key and value is read once for all query heads of its group.
#pragma once

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

  // A kv head of a sequence.
  struct Pair {
    int64_t sequence, kv_head;
  };

  int64_t offset(Pair pair, int64_t block) const {
    return (int64_t(block_table[pair.sequence * max_blocks + block]) * kv_heads + pair.kv_head) * kBlockKeys * head_dim;
  }
  NextBlock block_of(Pair pair, int64_t block) const {
    const int64_t at = offset(pair, block);
    return {reinterpret_cast<const char*>(k_cache + at), reinterpret_cast<const char*>(v_cache + at)};
  }

  // Rows [first, first + kQueryRows) of a pair; position 0 is the first query row. after: what the thread will want next.
  void tile(float* scratch, Pair pair, int64_t first, NextBlock after) const {
    const int64_t start = cu_q[pair.sequence];
    const int64_t last = std::min(first + kQueryRows, rows(pair.sequence) * group());
    const int64_t before = kv_lens[pair.sequence] - rows(pair.sequence);
    AttentionTile tile(scratch, head_dim);
    GroupRow row(first, group());
    for (int64_t i = first; i < last; i++, row.next(group()))
      tile.add_row(q + (start + row.position) * q_stride + (pair.kv_head * group() + row.head) * head_dim, before + row.position + 1, head_dim);
    tile.attend(
        head_dim, [&](int64_t b) { return k_cache + offset(pair, b); }, [&](int64_t b) { return ValueRows<T>{v_cache + offset(pair, b), head_dim}; },
        [&](int64_t b) { return block_of(pair, b); }, after);
    row = GroupRow(first, group());
    for (int64_t i = first; i < last; i++, row.next(group()))
      tile.write(int(i - first), o + ((start + row.position) * heads + pair.kv_head * group() + row.head) * head_dim, nullptr, head_dim);
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
    const int64_t tiles = (most_rows * op.group() + kQueryRows - 1) / kQueryRows, pairs = sequences * kv_heads;
    const auto pair_of = [&](int64_t i) { return typename PagedAttention<T>::Pair{i % pairs / kv_heads, i % kv_heads}; };
    // Pairs are taken some at a time, so that a thread knows which block comes after a pair's last; after the last pair it is
    // likely to be that of as many tasks ahead as there are threads.
    const int64_t share = std::max<int64_t>(1, tiles * pairs / (stream.threads() * 8)), count = (tiles * pairs + share - 1) / share;
    for_tasks(stream, count, attention_ns(work, head_dim) / double(std::max<int64_t>(count, 1)), [&](int64_t task, int thread) {
      const int64_t end = std::min(tiles * pairs, (task + 1) * share);
      for (int64_t i = task * share; i < end; i++) {
        const auto pair = pair_of(i);
        const int64_t row = (tiles - 1 - i / pairs) * kQueryRows;
        if (row >= op.rows(pair.sequence) * op.group()) continue;
        const int64_t next = i + 1 < end ? i + 1 : (task + stream.threads()) * share;
        op.tile(reinterpret_cast<float*>(stream.scratch(thread)), pair, row, next < tiles * pairs ? op.block_of(pair_of(next), 0) : NextBlock{});
      }
    });
    return G4_OK;
  });
}

}  // namespace g4::G4_ISA
