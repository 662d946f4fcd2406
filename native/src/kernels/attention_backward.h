// Backward of causal grouped-query attention (Dao et al. 2022, algorithm 4), with the probabilities recomputed from lse.
//
//   P_ij = e^(s_ij - lse_i),  s_ij = scale q_i . k_j           dV_j = sum over i of P_ij dO_i
//   D_i = dO_i . O_i,  dS_ij = P_ij (dO_i . v_j - D_i)           dQ_i = scale sum over j of dS_ij k_j,  dK_j = scale sum over i of dS_ij q_i
//
// Five products of n^2 / 2 x head_dim for each head. One task is a segment and a kv head: its query rows (all heads of the
// group, by position) go by in tiles of 32, each tile over the key blocks it sees. dQ of a tile is complete at the end of the
// tile; dK and dV of all keys grow in fp32 scratch, in row order, and are rounded once.
//
// The keys of a parent have several such sums: its own task's and one of each child. These go to the workspace in fp32, and
// a second loop adds them up in the order of the segments. So no sum depends on which task was done first.
#pragma once

#include "kernels/attention.h"

namespace g4::G4_ISA {

// The scratch of one task: transposed K and V blocks, and the sums of dK and dV.
struct BackwardScratch {
  float* keys;      // [blocks][head_dim][32]
  float* values;    // [blocks][head_dim][32]
  float* d_keys;    // [blocks * 32][padded(head_dim)]
  float* d_values;  // [blocks * 32][padded(head_dim)]

  static int64_t floats(int64_t blocks, int64_t head_dim) { return blocks * kBlockKeys * 2 * (head_dim + padded(head_dim)); }

  BackwardScratch(float* memory, int64_t blocks, int64_t head_dim)
      : keys(memory),
        values(keys + blocks * kBlockKeys * head_dim),
        d_keys(values + blocks * kBlockKeys * head_dim),
        d_values(d_keys + blocks * kBlockKeys * padded(head_dim)) {}
};

// 32 query rows of backward, fp32.
struct BackwardTile {
  float* q;    // [kQueryRows][head_dim], scaled
  float* d_o;  // [kQueryRows][head_dim]
  float* d_q;  // [kQueryRows][padded(head_dim)]
  float* p;    // [kQueryRows][kBlockKeys]
  float* d_s;  // [kQueryRows][kBlockKeys]
  float lse[kQueryRows];
  float d[kQueryRows];  // D_i
  int64_t visible[kQueryRows];
  int64_t keys = 0;  // of the last row
  int rows = 0;

  static int64_t floats(int64_t head_dim) { return kQueryRows * (3 * padded(head_dim) + 2 * kBlockKeys); }

  BackwardTile(float* memory, int64_t head_dim)
      : q(memory),
        d_o(q + kQueryRows * padded(head_dim)),
        d_q(d_o + kQueryRows * padded(head_dim)),
        p(d_q + kQueryRows * padded(head_dim)),
        d_s(p + kQueryRows * kBlockKeys) {}

  template <class T>
  void add_row(const T* query, const T* grad, const T* out, float row_lse, int64_t sees, int64_t head_dim) {
    const V scale = V::set(1.0f / std::sqrt(float(head_dim)));
    V dot = V::zero();
    for_vectors(head_dim, [&](int64_t i, auto lanes) {
      const V g = load(grad + i, lanes);
      store(load(query + i, lanes) * scale, q + rows * head_dim + i, lanes);
      store(g, d_o + rows * head_dim + i, lanes);
      dot = fma(g, load(out + i, lanes), dot);
    });
    std::fill(d_q + rows * padded(head_dim), d_q + (rows + 1) * padded(head_dim), 0.0f);
    lse[rows] = row_lse;
    d[rows] = reduce_add(dot);
    visible[rows] = keys = sees;
    rows++;
  }

  // P and dS of rows [first, rows) from the two products of scores; keys that a row does not see get 0.
  void weigh(int first, int64_t start) {
    for (int r = first; r < rows; r++) {
      const int seen = int(std::min<int64_t>(kBlockKeys, visible[r] - start));
      for (int c = 0; c < kBlockVectors; c++) {
        float* weight = p + r * kBlockKeys + c * V::kLanes;
        float* grad = d_s + r * kBlockKeys + c * V::kLanes;
        V e = exp(V::load(weight) - V::set(lse[r]));
        V g = e * (V::load(grad) - V::set(d[r]));
        if (seen < kBlockKeys) {
          e = hide(e, c, seen, V::zero());
          g = hide(g, c, seen, V::zero());
        }
        e.store(weight);
        g.store(grad);
      }
    }
  }
};

template <class T>
struct AttentionBackward {
  T* dq;
  T* dk;
  T* dv;
  const T* d_o;
  const T* o;
  const float* lse;
  float* workspace;               // [rows][2][kv_heads][head_dim]
  const int32_t* workspace_rows;  // first of each segment, or -1; nullptr: all -1
  AttentionForward<T> in;         // the operands of the forward pass; its outputs are not set

  int64_t first_sum(int64_t segment) const { return workspace_rows == nullptr ? -1 : workspace_rows[segment]; }
  float* key_sum(int64_t row, int64_t kv_head) const { return workspace + (row * 2 * in.kv_heads + kv_head) * in.head_dim; }
  float* value_sum(int64_t row, int64_t kv_head) const { return key_sum(row, in.kv_heads + kv_head); }

  void step(BackwardTile& tile, const BackwardScratch& scratch, const T* k, const KeyRows& rows, int64_t block) const {
    const int64_t head_dim = in.head_dim, stride = padded(head_dim), start = block * kBlockKeys;
    const int64_t end = std::min<int64_t>(start + kBlockKeys, rows.length());
    int first = 0;
    while (tile.visible[first] <= start) first++;
    const int queries = tile.rows - first;
    float* p = tile.p + first * kBlockKeys;
    float* d_s = tile.d_s + first * kBlockKeys;
    const float* q = tile.q + first * head_dim;
    const float* grad = tile.d_o + first * head_dim;
    scores(p, q, head_dim, queries, scratch.keys + start * head_dim, head_dim);
    scores(d_s, grad, head_dim, queries, scratch.values + start * head_dim, head_dim);
    tile.weigh(first, start);
    rows.runs(start, end, [&](int64_t position, int64_t row, int64_t n) {
      accumulate(tile.d_q + first * stride, stride, queries, nullptr, Coefficients{d_s + position - start, kBlockKeys, 1}, k + row * in.kv_stride, in.kv_stride, head_dim, int(n));
    });
    const int keys = int(end - start);
    accumulate(scratch.d_values + start * stride, stride, keys, nullptr, Coefficients{p, 1, kBlockKeys}, grad, head_dim, head_dim, queries);
    accumulate(scratch.d_keys + start * stride, stride, keys, nullptr, Coefficients{d_s, 1, kBlockKeys}, q, head_dim, head_dim, queries);
  }

  void pair(float* tile_memory, const BackwardScratch& scratch, int64_t segment, int64_t kv_head) const {
    const int64_t head_dim = in.head_dim, stride = padded(head_dim), group = in.group(), column = kv_head * head_dim;
    const KeyRows rows = in.segments[segment];
    for (int64_t start = 0; start < rows.length(); start += kBlockKeys) {
      transpose_block(scratch.keys + start * head_dim, in.k + column, in.kv_stride, rows, start, head_dim);
      transpose_block(scratch.values + start * head_dim, in.v + column, in.kv_stride, rows, start, head_dim);
    }
    std::fill(scratch.d_keys, scratch.d_keys + rows.length() * stride, 0.0f);
    std::fill(scratch.d_values, scratch.d_values + rows.length() * stride, 0.0f);

    const V scale = V::set(1.0f / std::sqrt(float(head_dim)));
    for (int64_t first = 0; first < rows.count * group; first += kQueryRows) {
      const int64_t last = std::min(first + kQueryRows, rows.count * group);
      BackwardTile tile(tile_memory, head_dim);
      GroupRow row(first, group);
      for (int64_t i = first; i < last; i++, row.next(group)) {
        const int64_t token = rows.own + row.position, head = kv_head * group + row.head;
        const int64_t out = (token * in.heads + head) * head_dim;
        tile.add_row(in.q + token * in.q_stride + head * head_dim, d_o + out, o + out, lse[token * in.heads + head], rows.prefix + row.position + 1, head_dim);
      }
      for (int64_t b = 0; b * kBlockKeys < tile.keys; b++) step(tile, scratch, in.k + column, rows, b);
      row = GroupRow(first, group);
      for (int64_t i = first; i < last; i++, row.next(group)) {
        const float* sum = tile.d_q + (i - first) * stride;
        T* to = dq + (rows.own + row.position) * in.q_stride + (kv_head * group + row.head) * head_dim;
        for_vectors(head_dim, [&](int64_t d, auto lanes) { store(load(sum + d, lanes) * scale, to + d, lanes); });
      }
    }
    // The rows that segments share: of a child those of its parent, of a parent all of its own.
    const int64_t sums = first_sum(segment);
    const int64_t shared = sums < 0 ? 0 : rows.prefix > 0 ? rows.prefix : rows.count;
    for (int64_t j = 0; j < rows.length(); j++) {
      const float* d_key = scratch.d_keys + j * stride;
      const float* d_value = scratch.d_values + j * stride;
      if (j < shared) put(key_sum(sums + j, kv_head), value_sum(sums + j, kv_head), d_key, d_value);
      else put(dk + rows.row(j) * in.kv_stride + column, dv + rows.row(j) * in.kv_stride + column, d_key, d_value);
    }
  }

  template <class To>
  void put(To* to_key, To* to_value, const float* d_key, const float* d_value) const {
    for_vectors(in.head_dim, [&](int64_t d, auto lanes) {
      store(load(d_key + d, lanes), to_key + d, lanes);
      store(load(d_value + d, lanes), to_value + d, lanes);
    });
  }

  // dK and dV of rows [first, first + kBlockKeys) of a parent, from the workspace.
  void join(int64_t parent, int64_t kv_head, int64_t first) const {
    const int64_t last = std::min<int64_t>(first + kBlockKeys, in.segments.rows(parent)), sums = first_sum(parent);
    for (int64_t b = parent + 1; b < in.segments.count; b++) {
      if (in.segments.parent(b) != parent) continue;
      for (int64_t j = first; j < last; j++) {
        float* d_key = key_sum(sums + j, kv_head);
        float* d_value = value_sum(sums + j, kv_head);
        const float* more_key = key_sum(first_sum(b) + j, kv_head);
        const float* more_value = value_sum(first_sum(b) + j, kv_head);
        for_vectors(in.head_dim, [&](int64_t d, auto lanes) {
          store(load(d_key + d, lanes) + load(more_key + d, lanes), d_key + d, lanes);
          store(load(d_value + d, lanes) + load(more_value + d, lanes), d_value + d, lanes);
        });
      }
    }
    for (int64_t j = first; j < last; j++) {
      const int64_t row = (in.segments.cu_seqlens[parent] + j) * in.kv_stride + kv_head * in.head_dim;
      put(dk + row, dv + row, key_sum(sums + j, kv_head), value_sum(sums + j, kv_head));
    }
  }
};

inline int attention_backward(g4_stream handle, g4_ptr dq, g4_ptr dk, g4_ptr dv, g4_cptr d_o, g4_cptr o, g4_cptr lse, g4_cptr q, g4_cptr k, g4_cptr v, int64_t q_stride, int64_t kv_stride, g4_cptr cu_seqlens_i32, g4_cptr parents_i32, g4_ptr workspace, g4_cptr workspace_rows_i32, int64_t segments, int64_t max_seqlen, int64_t heads, int64_t kv_heads, int64_t head_dim, int dtype) {
  Stream& stream = stream_of(handle);
  if (segments == 0 || max_seqlen == 0) return G4_OK;
  const int64_t blocks = (max_seqlen + kBlockKeys - 1) / kBlockKeys;
  const int64_t tile_floats = BackwardTile::floats(head_dim);
  const int64_t pair_floats = BackwardScratch::floats(blocks, head_dim);
  const int64_t own = int64_t(Stream::kScratchBytes / sizeof(float));
  const int64_t pairs = segments * kv_heads;
  // A segment's buffers live with the thread if they fit (they stay in its cache), else in the shared scratch, a few at once.
  const bool fits = tile_floats + pair_floats <= own;
  const int64_t pairs_at_once = fits ? pairs : int64_t(Stream::kSharedScratchBytes / sizeof(float)) / pair_floats;
  if (pairs_at_once < 1 || tile_floats > own) return G4_UNSUPPORTED;
  return with_type(dtype, [&](auto type) {
    using T = decltype(type);
    const AttentionForward<T> in{nullptr, nullptr, static_cast<const T*>(q), static_cast<const T*>(k), static_cast<const T*>(v), q_stride, kv_stride,
                                 Segments{static_cast<const int32_t*>(cu_seqlens_i32), static_cast<const int32_t*>(parents_i32), segments}, heads, kv_heads, head_dim};
    const AttentionBackward<T> op{static_cast<T*>(dq), static_cast<T*>(dk), static_cast<T*>(dv), static_cast<const T*>(d_o), static_cast<const T*>(o),
                                  static_cast<const float*>(lse), static_cast<float*>(workspace), static_cast<const int32_t*>(workspace_rows_i32), in};
    const int64_t most_rows = in.segments.most_rows();
    const double pair_ns = 3 * attention_ns(double(in.group() * most_rows) * double(max_seqlen) / 2, head_dim);
    for (int64_t first = 0; first < pairs; first += pairs_at_once) {
      for_tasks(stream, std::min(pairs_at_once, pairs - first), pair_ns, [&](int64_t i, int thread) {
        float* memory = reinterpret_cast<float*>(stream.scratch(thread));
        float* buffers = fits ? memory + tile_floats : reinterpret_cast<float*>(stream.shared_scratch()) + i * pair_floats;
        op.pair(memory, BackwardScratch(buffers, blocks, head_dim), (first + i) / kv_heads, (first + i) % kv_heads);
      });
    }
    if (workspace_rows_i32 == nullptr) return G4_OK;
    const int64_t row_blocks = (most_rows + kBlockKeys - 1) / kBlockKeys;
    for_tasks(stream, pairs * row_blocks, double(kBlockKeys * head_dim), [&](int64_t i, int) {
      const int64_t segment = i / row_blocks / kv_heads, row = i % row_blocks * kBlockKeys;
      if (in.segments.parent(segment) >= 0 || op.first_sum(segment) < 0 || row >= in.segments.rows(segment)) return;
      op.join(segment, i / row_blocks % kv_heads, row);
    });
    return G4_OK;
  });
}

}  // namespace g4::G4_ISA
