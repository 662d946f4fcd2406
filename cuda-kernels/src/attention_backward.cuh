// The tensor-core kernels of attention_backward.cu: dQ over tiles of query rows, dK and dV over blocks of keys.
#pragma once

#include "attention_forward.cuh"

namespace g4::cuda {

template <class T>
struct BackwardOperands {
  AttentionOperands<T> in;  // of the forward pass: o and lse are its results
  const T* d_o;
  T* dq;
  T* dk;
  T* dv;
  float* workspace;              // may be null, with
  const int32_t* workspace_rows;
  int kv_heads;

  // D_i = dO_i . O_i of a query row lives in the memory of its dQ until dQ is written: the row's first four bytes.
  __device__ __forceinline__ T* dq_row(const QueryRows& query, int row, int kv_head) const { return dq + (in.q_row(query, row, kv_head) - in.q); }
};

constexpr int kBackwardWarps = 4;
constexpr int kBackwardThreads = kBackwardWarps * kWarp;
constexpr int kBackwardRows = 64;  // that come by at once: keys for dQ, query rows for dK and dV
constexpr int kHalf = 32;          // of them in registers at once

// Tiles of 16 rows that a warp keeps: its sums fill the registers.
__host__ __device__ constexpr int backward_tiles(int head_dim) { return head_dim == 64 ? 2 : 1; }
__host__ __device__ constexpr int backward_kept(int head_dim) { return kBackwardWarps * backward_tiles(head_dim) * 16; }

// Two tiles that stay, two pairs of tiles that come and go, and lse, D and visible of the rows of each pair.
inline size_t backward_shared_bytes(int head_dim) {
  return (size_t(2 * backward_kept(head_dim)) + 4 * kBackwardRows) * size_t(head_dim) * 2 + 2 * 3 * kBackwardRows * sizeof(float);
}

template <int R>
__device__ __forceinline__ void clear(float (&x)[R][4]) {
#pragma unroll
  for (int r = 0; r < R; r++)
#pragma unroll
    for (int j = 0; j < 4; j++) x[r][j] = 0.0f;
}

// c[i] (16 x 32) = a (rows a_row + 16 i on) b^T (rows b_row ... b_row + 31), over all columns
template <class T, int kHeadDim, int R>
__device__ __forceinline__ void rows_times_rows(float (&c)[R][kHalf / 8][4], const Tile<T, kHeadDim>& a, int a_row, const Tile<T, kHeadDim>& b, int b_row) {
#pragma unroll
  for (int i = 0; i < R; i++) clear(c[i]);
#pragma unroll 2
  for (int d = 0; d < kHeadDim; d += 16) {
    uint32_t left[R][4];
#pragma unroll
    for (int i = 0; i < R; i++) a.load_a(left[i], a_row + i * 16, d);
#pragma unroll
    for (int n = 0; n < kHalf / 8; n += 2) {
      uint32_t right[4];
      b.load_b_rows(right, b_row + n * 8, d);
#pragma unroll
      for (int i = 0; i < R; i++) {
        multiply<T>(c[i][n], left[i], right[0], right[1]);
        multiply<T>(c[i][n + 1], left[i], right[2], right[3]);
      }
    }
  }
}

// sum[i] (16 x head_dim) += c[i] (16 x 32) b (rows b_row ... b_row + 31)
template <class T, int kHeadDim, int R>
__device__ __forceinline__ void add_product(float (&sum)[R][kHeadDim / 8][4], const float (&c)[R][kHalf / 8][4], const Tile<T, kHeadDim>& b, int b_row) {
  uint32_t left[R][kHalf / 16][4];
#pragma unroll
  for (int i = 0; i < R; i++)
#pragma unroll
    for (int n = 0; n < kHalf / 16; n++) to_operand<T>(left[i][n], c[i][2 * n], c[i][2 * n + 1]);
#pragma unroll
  for (int d = 0; d < kHeadDim / 8; d += 2)
#pragma unroll
    for (int n = 0; n < kHalf / 16; n++) {
      uint32_t right[4];
      b.load_b_columns(right, b_row + n * 16, d * 8);
#pragma unroll
      for (int i = 0; i < R; i++) {
        multiply<T>(sum[i][d], left[i][n], right[0], right[1]);
        multiply<T>(sum[i][d + 1], left[i][n], right[2], right[3]);
      }
    }
}

// dQ of a tile of query rows: S = Q K^T and dP = dO V^T in registers, dS = P (dP - D), dQ += dS K.
template <class T, int kHeadDim>
__global__ void __launch_bounds__(kBackwardThreads, 2) attention_dq_kernel(BackwardOperands<T> all, PackedBatch batch) {
  constexpr int R = backward_tiles(kHeadDim), kRows = backward_kept(kHeadDim);
  G4_DYNAMIC_SHARED(T, shared);
  const Tile<T, kHeadDim> q{shared}, d_o{behind(q.at, kRows * kHeadDim)};
  T* stages = behind(d_o.at, kRows * kHeadDim);
  const auto stage = [&](int s) { return stages + s * 2 * kBackwardRows * kHeadDim; };
  const AttentionOperands<T>& in = all.in;
  const int lane = int(threadIdx.x) % kWarp, kv_head = int(blockIdx.y), row0 = int(threadIdx.x) / kWarp * R * 16;
  QueryRows query;
  PackedKeys keys;
  if (!batch.find(int(blockIdx.x), kRows, in.group, kv_head, query, keys)) return;

  const int seen = query.visible(query.first + kRows - 1, in.group);
  const auto fetch = [&](int start) {
    T* at = stage(start / kBackwardRows % 2);
    const auto rows_of = [&](const T* from) { return [&, from](int i) { return G4_GUARD(start + i < seen) ? from + keys.offset(start + i) : nullptr; }; };
    Tile<T, kHeadDim>{at}.template fetch<kBackwardRows, kBackwardThreads>(rows_of(in.k));
    Tile<T, kHeadDim>{at + kBackwardRows * kHeadDim}.template fetch<kBackwardRows, kBackwardThreads>(rows_of(in.v));
    cp_async_commit();
  };
  q.template fetch<kRows, kBackwardThreads>([&](int i) { return G4_GUARD(query.first + i < query.rows) ? in.q_row(query, query.first + i, kv_head) : nullptr; });
  d_o.template fetch<kRows, kBackwardThreads>(
      [&](int i) { return G4_GUARD(query.first + i < query.rows) ? all.d_o + in.out_row(query, query.first + i, kv_head) * kHeadDim : nullptr; });
  fetch(0);

  const float scale2 = in.scale * kLog2E;
  float sum[R][kHeadDim / 8][4], lse2[R][2], dot[R][2];
  int visible[R][2];
#pragma unroll
  for (int i = 0; i < R; i++) {
    clear(sum[i]);
#pragma unroll
    for (int h = 0; h < 2; h++) {
      const int row = query.first + row0 + i * 16 + h * 8 + lane / 4;
      visible[i][h] = query.visible(row, in.group);
      lse2[i][h] = dot[i][h] = 0.0f;
      if (G4_GUARD(row < query.rows)) {
        lse2[i][h] = *readable(in.lse + in.out_row(query, row, kv_head), 1) * kLog2E;
        memcpy(&dot[i][h], __builtin_assume_aligned(all.dq_row(query, row, kv_head), 4), sizeof(float));
      }
    }
  }

  for (int start = 0; start < seen; start += kBackwardRows) {
    cp_async_wait<0>();
    __syncthreads();  // this tile is here, and nobody reads the one before any more
    if (start + kBackwardRows < seen) fetch(start + kBackwardRows);
    const Tile<T, kHeadDim> k{stage(start / kBackwardRows % 2)}, v{k.at + kBackwardRows * kHeadDim};
#pragma unroll 1
    for (int half = 0; half < kBackwardRows; half += kHalf) {
      float p[R][kHalf / 8][4], ds[R][kHalf / 8][4];
      rows_times_rows(p, q, row0, k, half);
      rows_times_rows(ds, d_o, row0, v, half);
      const int column = start + half + lane % 4 * 2;
#pragma unroll
      for (int i = 0; i < R; i++)
#pragma unroll
        for (int n = 0; n < kHalf / 8; n++)
#pragma unroll
          for (int j = 0; j < 4; j++) {
            const bool sees = G4_GUARD(column + n * 8 + j % 2 < visible[i][j / 2]);
            const float weight = sees ? exp2_approx(fmaf(p[i][n][j], scale2, -lse2[i][j / 2])) : 0.0f;
            ds[i][n][j] = weight * (ds[i][n][j] - dot[i][j / 2]);
          }
      add_product(sum, ds, k, half);
    }
  }

  const int thread = thread_anew(), its_lane = thread % kWarp, its_row0 = thread / kWarp * R * 16;
#pragma unroll
  for (int i = 0; i < R; i++)
#pragma unroll
    for (int j = 0; j < 4; j += 2)
#pragma unroll
      for (int n = 0; n < kHeadDim / 8; n++)
        *reinterpret_cast<uint32_t*>(q.chunk(its_row0 + i * 16 + j * 4 + its_lane / 4, n) + its_lane % 4 * 2) =
            pair_of<T>(sum[i][n][j] * in.scale, sum[i][n][j + 1] * in.scale);
  __syncwarp();
  constexpr int kChunks = kHeadDim / kChunk;
#pragma unroll 1
  for (int i = its_lane; i < R * 16 * kChunks; i += kWarp) {
    const int row = its_row0 + i / kChunks, chunk = i % kChunks;
    if (G4_GUARD(query.first + row < query.rows))
      store_pack<kChunk>(all.dq_row(query, query.first + row, kv_head) + chunk * kChunk, load_pack<kChunk>(q.chunk(row, chunk)));
  }
}

// Where dK and dV of a key position go: to dk and dv, or, if other segments add to them, in fp32 to the workspace.
template <class T>
struct KeyGradients {
  T* dk;  // null: to the workspace
  T* dv;
  float* sums;  // [2, kv_heads, head_dim], at this kv head

  __device__ __forceinline__ KeyGradients(const BackwardOperands<T>& all, const PackedBatch& batch, const PackedKeys& keys, int segment, int kv_head, int position) {
    const int rows = all.workspace != nullptr ? all.workspace_rows[segment] : -1;
    const bool shared = position < keys.parent_length || (rows >= 0 && batch.parents[segment] < 0);
    dk = shared ? nullptr : all.dk + keys.offset(position);
    dv = shared ? nullptr : all.dv + keys.offset(position);
    sums = all.workspace + (int64_t(rows + position) * 2 * all.kv_heads + kv_head) * batch.head_dim;
  }
};

// dK and dV of a block of keys, over all query rows that see some of them: S^T = K Q^T and dP^T = V dO^T in registers,
// dV += P^T dO, dK += dS^T Q.
template <class T, int kHeadDim>
__global__ void __launch_bounds__(kBackwardThreads, 2) attention_dkdv_kernel(BackwardOperands<T> all, PackedBatch batch) {
  constexpr int R = backward_tiles(kHeadDim), kKeys = backward_kept(kHeadDim);
  G4_DYNAMIC_SHARED(T, shared);
  const Tile<T, kHeadDim> k{shared}, v{behind(k.at, kKeys * kHeadDim)};
  T* stages = behind(v.at, kKeys * kHeadDim);
  const auto stage = [&](int s) { return stages + s * 2 * kBackwardRows * kHeadDim; };
  float* numbers = reinterpret_cast<float*>(behind(stages, 2 * 2 * kBackwardRows * kHeadDim));  // of each stage: lse, D, visible
  const AttentionOperands<T>& in = all.in;
  const int lane = int(threadIdx.x) % kWarp, kv_head = int(blockIdx.y), row0 = int(threadIdx.x) / kWarp * R * 16;
  const int segment = int(blockIdx.x) % batch.segments, key0 = int(blockIdx.x) / batch.segments * kKeys;
  const PackedKeys keys = batch.keys(segment, kv_head);
  const int own = batch.length(segment), length = keys.parent_length + own;
  if (key0 >= length || own == 0) return;
  QueryRows query{batch.cu_seqlens[segment], 0, own * in.group.heads, keys.parent_length};
  query.first = key0 > keys.parent_length ? (key0 - keys.parent_length) * in.group.heads : 0;

  const auto fetch = [&](int first, int s) {
    T* at = stage(s);
    Tile<T, kHeadDim>{at}.template fetch<kBackwardRows, kBackwardThreads>([&](int i) { return G4_GUARD(first + i < query.rows) ? in.q_row(query, first + i, kv_head) : nullptr; });
    Tile<T, kHeadDim>{at + kBackwardRows * kHeadDim}.template fetch<kBackwardRows, kBackwardThreads>(
        [&](int i) { return G4_GUARD(first + i < query.rows) ? all.d_o + in.out_row(query, first + i, kv_head) * kHeadDim : nullptr; });
    if (threadIdx.x < kBackwardRows) {
      float* to = numbers + s * 3 * kBackwardRows + threadIdx.x;
      const int row = first + int(threadIdx.x);
      const bool exists = G4_GUARD(row < query.rows);
      cp_async<4>(to, exists ? in.lse + in.out_row(query, row, kv_head) : nullptr, exists);
      cp_async<4>(to + kBackwardRows, exists ? all.dq_row(query, row, kv_head) : nullptr, exists);
      reinterpret_cast<int*>(to)[2 * kBackwardRows] = exists ? query.visible(row, in.group) : 0;
    }
    cp_async_commit();
  };
  const auto rows_of = [&](const T* from) { return [&, from](int i) { return G4_GUARD(key0 + i < length) ? from + keys.offset(key0 + i) : nullptr; }; };
  k.template fetch<kKeys, kBackwardThreads>(rows_of(in.k));
  v.template fetch<kKeys, kBackwardThreads>(rows_of(in.v));
  fetch(query.first, 0);

  const float scale2 = in.scale * kLog2E;
  float dk[R][kHeadDim / 8][4], dv[R][kHeadDim / 8][4];
#pragma unroll
  for (int i = 0; i < R; i++) {
    clear(dk[i]);
    clear(dv[i]);
  }
  int s = 0;
#pragma unroll 1
  for (int first = query.first; first < query.rows; first += kBackwardRows, s ^= 1) {
    cp_async_wait<0>();
    __syncthreads();  // these rows are here, and nobody reads the ones before any more
    if (first + kBackwardRows < query.rows) fetch(first + kBackwardRows, s ^ 1);
    const Tile<T, kHeadDim> q{stage(s)}, d_o{q.at + kBackwardRows * kHeadDim};
    const float* lse = numbers + s * 3 * kBackwardRows;
#pragma unroll 1
    for (int half = 0; half < kBackwardRows; half += kHalf) {
      float p[R][kHalf / 8][4], ds[R][kHalf / 8][4];
      rows_times_rows(p, k, row0, q, half);
      rows_times_rows(ds, v, row0, d_o, half);
#pragma unroll
      for (int n = 0; n < kHalf / 8; n++)
#pragma unroll
        for (int e = 0; e < 2; e++) {
          const int column = half + n * 8 + lane % 4 * 2 + e;
          const float lse2 = lse[column] * kLog2E, dot = lse[kBackwardRows + column];
          const int visible = reinterpret_cast<const int*>(lse)[2 * kBackwardRows + column] - key0 - row0 - lane / 4;
#pragma unroll
          for (int i = 0; i < R; i++)
#pragma unroll
            for (int h = 0; h < 2; h++) {
              const bool sees = G4_GUARD(i * 16 + h * 8 < visible);
              float& weight = p[i][n][2 * h + e];
              weight = sees ? exp2_approx(fmaf(weight, scale2, -lse2)) : 0.0f;
              ds[i][n][2 * h + e] = weight * (ds[i][n][2 * h + e] - dot);
            }
        }
      add_product(dv, p, d_o, half);
      add_product(dk, ds, q, half);
    }
  }

#pragma unroll
  for (int i = 0; i < R; i++)
#pragma unroll
    for (int h = 0; h < 2; h++) {
      const int position = key0 + row0 + i * 16 + h * 8 + lane / 4;
      if (!G4_GUARD(position < length)) continue;
      const KeyGradients<T> to(all, batch, keys, segment, kv_head, position);
#pragma unroll
      for (int n = 0; n < kHeadDim / 8; n++) {
        const int d = n * 8 + lane % 4 * 2;
        const Floats<2> key{{dk[i][n][2 * h] * in.scale, dk[i][n][2 * h + 1] * in.scale}}, value{{dv[i][n][2 * h], dv[i][n][2 * h + 1]}};
        if (to.dk != nullptr) {
          store<2>(to.dk + d, key);
          store<2>(to.dv + d, value);
        } else {
          store<2>(to.sums + d, key);
          store<2>(to.sums + all.kv_heads * kHeadDim + d, value);
        }
      }
    }
}

}  // namespace g4::cuda
