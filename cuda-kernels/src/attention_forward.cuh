// The kernels of attention over rows of q: one for tensor cores (fp16 and bf16, head_dim 64 and 128), one for all else.
// attention_forward.cu and attention_paged.cu say what they are for; only where the keys lie differs between the two (Batch).
#pragma once

#include <initializer_list>

#include "attention_rows.cuh"
#include "attention_softmax.cuh"
#include "reduce.cuh"

namespace g4::cuda {

template <class T>
struct AttentionOperands {
  T* o;
  float* lse;  // may be null
  const T* q;
  const T* k;
  const T* v;
  int64_t q_stride;
  int heads, head_dim;
  Group group;
  float scale;

  // A query row: where it starts in q, its row in o, and its element in lse.
  __device__ __forceinline__ const T* q_row(const QueryRows& query, int row, int kv_head) const {
    const int position = group.position(row);
    return q + int64_t(query.token + position) * q_stride + (kv_head * group.heads + row - position * group.heads) * head_dim;
  }
  __device__ __forceinline__ int64_t out_row(const QueryRows& query, int row, int kv_head) const {
    const int position = group.position(row);
    return int64_t(query.token + position) * heads + kv_head * group.heads + row - position * group.heads;
  }
};

constexpr int kForwardWarps = 4;
constexpr int kForwardThreads = kForwardWarps * kWarp;
constexpr int kRowTiles = 2;  // of 16 rows for each warp: a fragment of k or v is loaded once for both
constexpr int kForwardRows = kForwardWarps * kRowTiles * 16;

// Of each query row of the block: how many keys it sees, and its row of o, -1 if there is none. Kept in shared memory, because
// the products leave no register for it.
struct RowNotes {
  int* visible;  // [kForwardRows]
  int* out;      // [kForwardRows]
};

// Tiles of q, k and v, and the notes.
inline size_t forward_shared_bytes(int head_dim) { return size_t(kForwardRows + 2 * kTileKeys) * size_t(head_dim) * 2 + 2 * kForwardRows * sizeof(int); }

template <class T, int kHeadDim, class Batch>
__global__ void __launch_bounds__(kForwardThreads, 2) attention_kernel(AttentionOperands<T> in, Batch batch) {
  G4_DYNAMIC_SHARED(T, shared);
  const Tile<T, kHeadDim> q{shared}, k{behind(q.at, kForwardRows * kHeadDim)}, v{behind(k.at, kTileKeys * kHeadDim)};
  int* visible = reinterpret_cast<int*>(behind(v.at, kTileKeys * kHeadDim));
  const RowNotes notes{visible, behind(visible, kForwardRows)};
  const int warp = int(threadIdx.x) / kWarp, lane = int(threadIdx.x) % kWarp, kv_head = int(blockIdx.y);
  QueryRows query;
  typename Batch::Keys keys;
  if (!batch.find(int(blockIdx.x), kForwardRows, in.group, kv_head, query, keys)) return;

  const int seen = query.visible(query.first + kForwardRows - 1, in.group);  // keys that some row of the block sees
  const auto fetch = [&](const Tile<T, kHeadDim>& tile, const T* from, int start) {
    tile.template fetch<kTileKeys, kForwardThreads>([&](int i) { return G4_GUARD(start + i < seen) ? from + keys.offset(start + i) : nullptr; });
    cp_async_commit();
  };
  q.template fetch<kForwardRows, kForwardThreads>([&](int i) { return G4_GUARD(query.first + i < query.rows) ? in.q_row(query, query.first + i, kv_head) : nullptr; });
  fetch(k, in.k, 0);

  {
    static_assert(kForwardThreads == kForwardRows, "a thread writes the notes of one row");
    const int i = int(threadIdx.x), row = query.first + i;
    notes.visible[i] = query.visible(row, in.group);
    notes.out[i] = G4_GUARD(row < query.rows) ? int(in.out_row(query, row, kv_head)) : -1;
  }
  const int row0 = warp * kRowTiles * 16;
  const float scale2 = in.scale * kLog2E;
  SoftmaxState state[kRowTiles];
  float o[kRowTiles][kHeadDim / 8][4];
#pragma unroll
  for (int i = 0; i < kRowTiles; i++) {
    state[i] = {{-INFINITY, -INFINITY}, {0.0f, 0.0f}};
#pragma unroll
    for (int n = 0; n < kHeadDim / 8; n++)
#pragma unroll
      for (int j = 0; j < 4; j++) o[i][n][j] = 0.0f;
  }

  for (int start = 0; start < seen; start += kTileKeys) {
    cp_async_wait<0>();
    __syncthreads();  // k is here, and nobody reads the v of the tile before any more
    fetch(v, in.v, start);
    float s[kRowTiles][kTileKeys / 8][4];
#pragma unroll
    for (int i = 0; i < kRowTiles; i++)
#pragma unroll
      for (int n = 0; n < kTileKeys / 8; n++)
#pragma unroll
        for (int j = 0; j < 4; j++) s[i][n][j] = 0.0f;
#pragma unroll 2
    for (int d = 0; d < kHeadDim; d += 16) {
      uint32_t a[kRowTiles][4];
#pragma unroll
      for (int i = 0; i < kRowTiles; i++) q.load_a(a[i], row0 + i * 16, d);
#pragma unroll
      for (int n = 0; n < kTileKeys / 8; n += 2) {
        uint32_t b[4];
        k.load_b_rows(b, n * 8, d);
#pragma unroll
        for (int i = 0; i < kRowTiles; i++) {
          multiply<T>(s[i][n], a[i], b[0], b[1]);
          multiply<T>(s[i][n + 1], a[i], b[2], b[3]);
        }
      }
    }

    cp_async_wait<0>();
    __syncthreads();  // v is here, and nobody reads k any more
    if (start + kTileKeys < seen) fetch(k, in.k, start + kTileKeys);

    MergeWeights weights[kRowTiles];
    uint32_t p[kRowTiles][kTileKeys / 16][4];
#pragma unroll
    for (int i = 0; i < kRowTiles; i++) {
      if (start + kTileKeys > notes.visible[row0]) {  // what the warp's first row sees, all see
        const int row = row0 + i * 16 + lane / 4;
        hide(s[i], notes.visible[row] - start, notes.visible[row + 8] - start);
      }
      const SoftmaxState tile = softmax(s[i], scale2);
      weights[i] = merge(state[i], tile, scale2);
#pragma unroll
      for (int n = 0; n < kTileKeys / 16; n++) to_operand<T>(p[i][n], s[i][2 * n], s[i][2 * n + 1]);
    }
#pragma unroll
    for (int d = 0; d < kHeadDim / 8; d += 2) {
      float part[kRowTiles][2][4] = {};
#pragma unroll
      for (int n = 0; n < kTileKeys / 16; n++) {
        uint32_t b[4];
        v.load_b_columns(b, n * 16, d * 8);
#pragma unroll
        for (int i = 0; i < kRowTiles; i++) {
          multiply<T>(part[i][0], p[i][n], b[0], b[1]);
          multiply<T>(part[i][1], p[i][n], b[2], b[3]);
        }
      }
#pragma unroll
      for (int i = 0; i < kRowTiles; i++) {
        merge_values(o[i][d], part[i][0], weights[i]);
        merge_values(o[i][d + 1], part[i][1], weights[i]);
      }
    }
  }

  // Through shared memory, where each warp's own rows of q are free now, so that the stores to device memory are of 16 bytes.
  const int thread = thread_anew(), its_lane = thread % kWarp, its_row0 = thread / kWarp * kRowTiles * 16;
#pragma unroll
  for (int i = 0; i < kRowTiles; i++)
#pragma unroll
    for (int h = 0; h < 2; h++) {
      const int row = its_row0 + i * 16 + h * 8 + its_lane / 4, out = notes.out[row];
      const float sum = quad_sum(state[i].sum[h]), factor = 1.0f / sum;
#pragma unroll
      for (int n = 0; n < kHeadDim / 8; n++)
        *reinterpret_cast<uint32_t*>(q.chunk(row, n) + its_lane % 4 * 2) = pair_of<T>(o[i][n][2 * h] * factor, o[i][n][2 * h + 1] * factor);
      if (in.lse != nullptr && its_lane % 4 == 0 && G4_GUARD(out >= 0)) in.lse[out] = state[i].max[h] * in.scale + logf(sum);
    }
  __syncwarp();
  constexpr int kChunks = kHeadDim / kChunk;
#pragma unroll 1
  for (int i = its_lane; i < kRowTiles * 16 * kChunks; i += kWarp) {
    const int row = its_row0 + i / kChunks, chunk = i % kChunks, out = notes.out[row];
    if (G4_GUARD(out >= 0)) store_pack<kChunk>(in.o + int64_t(out) * kHeadDim + chunk * kChunk, load_pack<kChunk>(q.chunk(row, chunk)));
  }
}

// ---- the plain path: a warp for each query row, head_dim up to 256 ----

constexpr int kPlainWarps = 4;
constexpr int kMaxHeadDim = 256;

// The sum over the warp's keys of weight[key] x[key], for the columns lane, lane + 32, ...; added to sum.
template <class T, class Address>
__device__ __forceinline__ void add_weighted_rows(float (&sum)[kMaxHeadDim / kWarp], float weight, int count, int head_dim, Address address) {
  for (int i = 0; i < count; i++) {
    const float its = __shfl_sync(kAllLanes, weight, i);
    const T* row = address(i);
#pragma unroll
    for (int c = 0; c < kMaxHeadDim / kWarp; c++) {
      const int d = c * kWarp + int(threadIdx.x) % kWarp;
      if (d < head_dim) sum[c] = fmaf(its, to_float(row[d]), sum[c]);  // sums past the end are not looked at
    }
  }
}

template <class T>
__device__ __forceinline__ float dot(const float* a, const T* b, int head_dim) {
  float sum = 0.0f;
  b = readable(b, head_dim);
  for (int d = 0; d < head_dim; d++) sum = fmaf(a[d], to_float(b[d]), sum);
  return sum;
}

__device__ __forceinline__ float warp_max(float value) {
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, offset));
  return value;
}

template <class T, class Batch>
__global__ void __launch_bounds__(kPlainWarps * kWarp, 4) attention_plain_kernel(AttentionOperands<T> in, Batch batch) {
  G4_SHARED(float, queries, kPlainWarps * kMaxHeadDim);
  const int warp = int(threadIdx.x) / kWarp, lane = int(threadIdx.x) % kWarp, kv_head = int(blockIdx.y);
  QueryRows query;
  typename Batch::Keys keys;
  if (!batch.find(int(blockIdx.x), kPlainWarps, in.group, kv_head, query, keys)) return;
  const int row = query.first + warp;
  if (!G4_GUARD(row < query.rows)) return;

  float* q = queries + warp * kMaxHeadDim;
  const T* from = in.q_row(query, row, kv_head);
  for (int d = lane; G4_GUARD(d < in.head_dim); d += kWarp) q[d] = to_float(*readable(from + d, 1)) * in.scale;
  __syncwarp();

  const int visible = query.visible(row, in.group);
  float top = -INFINITY, sum = 0.0f, o[kMaxHeadDim / kWarp] = {};
  for (int start = 0; start < visible; start += kWarp) {
    const bool sees = G4_GUARD(start + lane < visible);
    const float score = sees ? dot(q, in.k + keys.offset(start + lane), in.head_dim) : -INFINITY;
    const float next = fmaxf(top, warp_max(score));
    const float p = exp2_approx((score - next) * kLog2E), rescale = exp2_approx((top - next) * kLog2E);
    top = next;
    sum = fmaf(sum, rescale, warp_sum(p));
#pragma unroll
    for (float& x : o) x *= rescale;
    add_weighted_rows<T>(o, p, visible - start < kWarp ? visible - start : kWarp, in.head_dim, [&](int i) { return in.v + keys.offset(start + i); });
  }
  const int64_t out = in.out_row(query, row, kv_head);
#pragma unroll
  for (int c = 0; c < kMaxHeadDim / kWarp; c++)
    if (G4_GUARD(c * kWarp + lane < in.head_dim)) in.o[out * in.head_dim + c * kWarp + lane] = from_float<T>(o[c] / sum);
  if (in.lse != nullptr && lane == 0) in.lse[out] = top + logf(sum);
}

// ---- choice ----

// Rows are read in units of 16 bytes there.
template <class T>
bool on_tensor_cores(int64_t head_dim, int64_t q_stride, int64_t kv_stride, std::initializer_list<const void*> addresses) {
  for (const void* address : addresses)
    if (!aligned16(address)) return false;
  return sizeof(T) == 2 && (head_dim == 64 || head_dim == 128) && q_stride % kChunk == 0 && kv_stride % kChunk == 0;
}

// Calls body(head_dim) as a compile-time constant, where tensor cores serve it.
template <class Body>
int with_head_dim(int64_t head_dim, Body body) {
  if (head_dim == 64) return body(std::integral_constant<int, 64>{});
  return body(std::integral_constant<int, 128>{});
}

}  // namespace g4::cuda
