// Backward of causal grouped-query attention (Dao et al. 2022, algorithm 4), with the probabilities recomputed from lse.
//
//   P_ij = e^(s_ij - lse_i),  s_ij = scale q_i . k_j           dV_j = sum over i of P_ij dO_i
//   D_i = dO_i . O_i,  dS_ij = P_ij (dO_i . v_j - D_i)           dQ_i = scale sum over j of dS_ij k_j,  dK_j = scale sum over i of dS_ij q_i
//
// Five products of n^2 / 2 x head_dim for each head. One task is a sequence and a kv head: its query rows (all heads of the
// group, by position) go by in tiles of 32, each tile over the key blocks it sees. dQ of a tile is complete at the end of the
// tile; dK and dV of the whole sequence grow in fp32 scratch, in row order, and are rounded once. No sum crosses two tasks.
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
  AttentionForward<T> in;  // the operands of the forward pass; its outputs are not set

  void step(BackwardTile& tile, const BackwardScratch& scratch, const T* k, int64_t length, int64_t block) const {
    const int64_t head_dim = in.head_dim, stride = padded(head_dim), start = block * kBlockKeys;
    const int keys = int(std::min<int64_t>(kBlockKeys, length - start));
    int first = 0;
    while (tile.visible[first] <= start) first++;
    const int rows = tile.rows - first;
    float* p = tile.p + first * kBlockKeys;
    float* d_s = tile.d_s + first * kBlockKeys;
    const float* q = tile.q + first * head_dim;
    const float* grad = tile.d_o + first * head_dim;
    scores(p, q, head_dim, rows, scratch.keys + start * head_dim, head_dim);
    scores(d_s, grad, head_dim, rows, scratch.values + start * head_dim, head_dim);
    tile.weigh(first, start);
    accumulate(tile.d_q + first * stride, stride, rows, nullptr, Coefficients{d_s, kBlockKeys, 1}, k + start * in.kv_stride, in.kv_stride, head_dim, keys);
    accumulate(scratch.d_values + start * stride, stride, keys, nullptr, Coefficients{p, 1, kBlockKeys}, grad, head_dim, head_dim, rows);
    accumulate(scratch.d_keys + start * stride, stride, keys, nullptr, Coefficients{d_s, 1, kBlockKeys}, q, head_dim, head_dim, rows);
  }

  void pair(float* tile_memory, const BackwardScratch& scratch, int64_t sequence, int64_t kv_head) const {
    const int64_t head_dim = in.head_dim, stride = padded(head_dim), group = in.group();
    const int64_t start = in.cu_seqlens[sequence], length = in.length(sequence);
    const int64_t kv = start * in.kv_stride + kv_head * head_dim;
    for (int64_t j = 0; j < length; j += kBlockKeys) {
      const int64_t rows = std::min<int64_t>(kBlockKeys, length - j);
      transpose_block(scratch.keys + j * head_dim, in.k + kv + j * in.kv_stride, in.kv_stride, rows, head_dim);
      transpose_block(scratch.values + j * head_dim, in.v + kv + j * in.kv_stride, in.kv_stride, rows, head_dim);
    }
    std::fill(scratch.d_keys, scratch.d_keys + length * stride, 0.0f);
    std::fill(scratch.d_values, scratch.d_values + length * stride, 0.0f);

    const V scale = V::set(1.0f / std::sqrt(float(head_dim)));
    for (int64_t first = 0; first < length * group; first += kQueryRows) {
      const int64_t last = std::min(first + kQueryRows, length * group);
      BackwardTile tile(tile_memory, head_dim);
      GroupRow row(first, group);
      for (int64_t i = first; i < last; i++, row.next(group)) {
        const int64_t token = start + row.position, head = kv_head * group + row.head;
        const int64_t out = (token * in.heads + head) * head_dim;
        tile.add_row(in.q + token * in.q_stride + head * head_dim, d_o + out, o + out, lse[token * in.heads + head], row.position + 1, head_dim);
      }
      for (int64_t b = 0; b * kBlockKeys < tile.keys; b++) step(tile, scratch, in.k + kv, length, b);
      row = GroupRow(first, group);
      for (int64_t i = first; i < last; i++, row.next(group)) {
        const float* sum = tile.d_q + (i - first) * stride;
        T* to = dq + (start + row.position) * in.q_stride + (kv_head * group + row.head) * head_dim;
        for_vectors(head_dim, [&](int64_t d, auto lanes) { store(load(sum + d, lanes) * scale, to + d, lanes); });
      }
    }
    for (int64_t j = 0; j < length; j++) {
      for_vectors(head_dim, [&](int64_t d, auto lanes) {
        store(load(scratch.d_keys + j * stride + d, lanes), dk + kv + j * in.kv_stride + d, lanes);
        store(load(scratch.d_values + j * stride + d, lanes), dv + kv + j * in.kv_stride + d, lanes);
      });
    }
  }
};

inline int attention_backward(g4_stream handle, g4_ptr dq, g4_ptr dk, g4_ptr dv, g4_cptr d_o, g4_cptr o, g4_cptr lse, g4_cptr q, g4_cptr k, g4_cptr v, int64_t q_stride, int64_t kv_stride, g4_cptr cu_seqlens_i32, int64_t sequences, int64_t max_seqlen, int64_t heads, int64_t kv_heads, int64_t head_dim, int dtype) {
  Stream& stream = stream_of(handle);
  if (sequences == 0 || max_seqlen == 0) return G4_OK;
  const int64_t blocks = (max_seqlen + kBlockKeys - 1) / kBlockKeys;
  const int64_t tile_floats = BackwardTile::floats(head_dim);
  const int64_t pair_floats = BackwardScratch::floats(blocks, head_dim);
  const int64_t own = int64_t(Stream::kScratchBytes / sizeof(float));
  // A sequence's buffers live with the thread if they fit (they stay in its cache), else in the shared scratch, a few at once.
  const bool fits = tile_floats + pair_floats <= own;
  const int64_t pairs_at_once = fits ? sequences * kv_heads : int64_t(Stream::kSharedScratchBytes / sizeof(float)) / pair_floats;
  if (pairs_at_once < 1 || tile_floats > own) return G4_UNSUPPORTED;
  return with_type(dtype, [&](auto type) {
    using T = decltype(type);
    const AttentionForward<T> in{nullptr, nullptr, static_cast<const T*>(q), static_cast<const T*>(k), static_cast<const T*>(v), q_stride, kv_stride,
                                 static_cast<const int32_t*>(cu_seqlens_i32), heads, kv_heads, head_dim};
    const AttentionBackward<T> op{static_cast<T*>(dq), static_cast<T*>(dk), static_cast<T*>(dv), static_cast<const T*>(d_o), static_cast<const T*>(o),
                                  static_cast<const float*>(lse), in};
    const double pair_ns = 3 * attention_ns(double(in.group() * max_seqlen) * double(max_seqlen) / 2, head_dim);
    for (int64_t first = 0; first < sequences * kv_heads; first += pairs_at_once) {
      for_tasks(stream, std::min(pairs_at_once, sequences * kv_heads - first), pair_ns, [&](int64_t i, int thread) {
        float* memory = reinterpret_cast<float*>(stream.scratch(thread));
        float* buffers = fits ? memory + tile_floats : reinterpret_cast<float*>(stream.shared_scratch()) + i * pair_floats;
        op.pair(memory, BackwardScratch(buffers, blocks, head_dim), (first + i) / kv_heads, (first + i) % kv_heads);
      });
    }
    return G4_OK;
  });
}

}  // namespace g4::G4_ISA
