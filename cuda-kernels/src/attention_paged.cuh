// The decode kernels of attention_paged.cu: one for the tiles of keys that several sequences share, one for the rest.
#pragma once

#include "attention_forward.cuh"

namespace g4::cuda {

// Which tiles of 64 positions the first kernel does, and where it leaves what it finds for each query row.
struct SharedTiles {
  PagedBatch batch;
  float* partials;  // [tiles, tokens * heads, head_dim + 8]: weighted values, max, -, -, -, sum of the four lanes
  int64_t rows;     // tokens * heads
  int tiles;        // how many there is room for
  bool split;       // every tile that it can do: the batch is too small to fill the device otherwise

  __device__ __forceinline__ float* partial(int tile, int64_t out_row) const { return partials + (tile * rows + out_row) * (batch.head_dim + 8); }

  // All query rows of the sequence see the whole tile.
  __device__ __forceinline__ bool full(int sequence, int tile) const {
    const int queries = batch.queries(sequence);
    return queries > 0 && (tile + 1) * kTileKeys <= batch.kv_lens[sequence] - queries + 1;
  }
  // Sequences `first` and first + 1 have the tile in the same blocks.
  __device__ __forceinline__ bool same(int first, int tile) const {
    if (first < 0 || first + 1 >= batch.sequences || !full(first, tile) || !full(first + 1, tile)) return false;
    const int32_t* blocks = batch.block_table + int64_t(first) * batch.max_blocks + tile * (kTileKeys / kCacheBlock);
    bool equal = true;
#pragma unroll
    for (int i = 0; i < kTileKeys / kCacheBlock; i++) equal = equal && blocks[i] == blocks[batch.max_blocks + i];
    return equal;
  }
  __device__ __forceinline__ bool has(int sequence, int tile) const {
    return tile < tiles && full(sequence, tile) && (split || same(sequence - 1, tile) || same(sequence, tile));
  }
  // The last of the sequences from `first` on that share the tile. For a whole warp.
  __device__ __forceinline__ int last_of_run(int first, int tile) const {
    while (true) {
      const unsigned differs = ~__ballot_sync(kAllLanes, same(first + int(threadIdx.x) % kWarp, tile));
      if (differs != 0) return first + __ffs(int(differs)) - 1;
      first += kWarp;
    }
  }
};

// p v (16 x head_dim), p being 16 x 64, in the order of attention_kernel: take(n, its columns 8 n ... 8 n + 7)
template <class T, int kHeadDim, class Take>
__device__ __forceinline__ void weigh_values(const float (&p)[kTileKeys / 8][4], const Tile<T, kHeadDim>& v, Take take) {
  uint32_t a[kTileKeys / 16][4];
#pragma unroll
  for (int n = 0; n < kTileKeys / 16; n++) to_operand<T>(a[n], p[2 * n], p[2 * n + 1]);
#pragma unroll
  for (int d = 0; d < kHeadDim / 8; d += 2) {
    float part[2][4] = {};
#pragma unroll
    for (int n = 0; n < kTileKeys / 16; n++) {
      uint32_t b[4];
      v.load_b_columns(b, n * 16, d * 8);
      multiply<T>(part[0], a[n], b[0], b[1]);
      multiply<T>(part[1], a[n], b[2], b[3]);
    }
    take(d, part[0]);
    take(d + 1, part[1]);
  }
}

// ---- shared tiles: a block loads one and takes all query rows of the run of sequences that share it ----

constexpr int kSharedWarps = 4;

inline size_t shared_tiles_bytes(int head_dim) { return size_t(2 * kTileKeys + kSharedWarps * 16) * size_t(head_dim) * 2; }

template <class T, int kHeadDim>
__global__ void __launch_bounds__(kSharedWarps * kWarp) attention_shared_tiles_kernel(AttentionOperands<T> in, SharedTiles shares) {
  G4_DYNAMIC_SHARED(T, shared);
  const int warp = int(threadIdx.x) / kWarp, lane = int(threadIdx.x) % kWarp, first = int(blockIdx.x), kv_head = int(blockIdx.y);
  const Tile<T, kHeadDim> k{shared}, v{behind(k.at, kTileKeys * kHeadDim)}, q{behind(v.at, kTileKeys * kHeadDim) + warp * 16 * kHeadDim};
  const float scale2 = in.scale * kLog2E;
  const PagedKeys keys = shares.batch.keys(first, kv_head);
  for (int tile = int(blockIdx.z); tile < shares.tiles && shares.full(first, tile); tile += int(gridDim.z)) {
    if (!shares.has(first, tile) || shares.same(first - 1, tile)) continue;  // the run's first sequence does it
    const int start = tile * kTileKeys;
    k.template fetch<kTileKeys, kSharedWarps * kWarp>([&](int i) { return in.k + keys.offset(start + i); });
    v.template fetch<kTileKeys, kSharedWarps * kWarp>([&](int i) { return in.v + keys.offset(start + i); });
    cp_async_commit();
    const int token = shares.batch.cu_q[first], end = shares.batch.cu_q[shares.last_of_run(first, tile) + 1];
    QueryRows query{token, 0, (end - token) * in.group.heads, 0};
    cp_async_wait<0>();
    __syncthreads();
    for (query.first = warp * 16; query.first < query.rows; query.first += kSharedWarps * 16) {
      q.template fetch<16, kWarp>([&](int i) { return G4_GUARD(query.first + i < query.rows) ? in.q_row(query, query.first + i, kv_head) : nullptr; });
      cp_async_commit();
      cp_async_wait<0>();
      __syncwarp();
      float s[kTileKeys / 8][4];
      scores(s, q, 0, k);
      const SoftmaxState state = softmax(s, scale2);
      float* to[2];
#pragma unroll
      for (int h = 0; h < 2; h++) {
        const int row = query.first + h * 8 + lane / 4;
        to[h] = G4_GUARD(row < query.rows) ? shares.partial(tile, in.out_row(query, row, kv_head)) : nullptr;
        if (to[h] == nullptr) continue;
        if (lane % 4 == 0) to[h][kHeadDim] = state.max[h];
        to[h][kHeadDim + 4 + lane % 4] = state.sum[h];
      }
      weigh_values(s, v, [&](int n, const float (&part)[4]) {
#pragma unroll
        for (int h = 0; h < 2; h++)
          if (to[h] != nullptr) store_pack<2>(to[h] + n * 8 + lane % 4 * 2, Floats<2>{{part[2 * h], part[2 * h + 1]}});
      });
      __syncwarp();  // before the next rows of q come in
    }
    __syncthreads();  // before the next tile comes in
  }
}

// ---- the rest: a block for a sequence and a kv head, a warp for every n-th tile of keys ----

__host__ __device__ constexpr int decode_warps(int head_dim) { return head_dim == 64 ? 4 : 2; }

// Rows of q; for each warp k, v, and what it found in its tile: head_dim / 2 values, 2 maxima and 2 sums a lane.
inline size_t decode_shared_bytes(int head_dim) {
  return size_t(16 + decode_warps(head_dim) * 2 * kTileKeys) * size_t(head_dim) * 2 + size_t(decode_warps(head_dim) * kWarp * (head_dim / 2 + 4)) * sizeof(float);
}

template <class T, int kHeadDim>
__global__ void __launch_bounds__(decode_warps(kHeadDim) * kWarp) attention_decode_kernel(AttentionOperands<T> in, SharedTiles shares) {
  constexpr int kWarps = decode_warps(kHeadDim), kThreads = kWarps * kWarp;
  constexpr int kShare = kHeadDim / 8 / kWarps;   // columns (of 8) that a warp puts together
  constexpr int kFound = kHeadDim / 2 + 4;        // floats a lane
  G4_DYNAMIC_SHARED(T, shared);
  const int warp = int(threadIdx.x) / kWarp, lane = int(threadIdx.x) % kWarp, sequence = int(blockIdx.x), kv_head = int(blockIdx.y);
  T* tiles = behind(shared, 16 * kHeadDim);  // k and v of each warp
  const Tile<T, kHeadDim> q{shared}, k{tiles + warp * 2 * kTileKeys * kHeadDim}, v{k.at + kTileKeys * kHeadDim};
  float* found = reinterpret_cast<float*>(behind(tiles, kWarps * 2 * kTileKeys * kHeadDim)) + lane;  // [kWarps][kFound][32]
  const float scale2 = in.scale * kLog2E;
  const PagedKeys keys = shares.batch.keys(sequence, kv_head);
  const int length = shares.batch.kv_lens[sequence], queries = shares.batch.queries(sequence);
  QueryRows query{shares.batch.cu_q[sequence], 0, queries * in.group.heads, length - queries};

  for (; query.first < query.rows; query.first += 16) {
    const int seen = query.visible(query.first + 15, in.group);
    // The copies of a tile that this warp has to compute; a closed group even if there are none, so that counting them works.
    const auto fetch = [&](const Tile<T, kHeadDim>& tile, const T* from, int t) {
      if (t * kTileKeys < seen && !shares.has(sequence, t))
        tile.template fetch<kTileKeys, kWarp>([&](int i) { return G4_GUARD(t * kTileKeys + i < seen) ? from + keys.offset(t * kTileKeys + i) : nullptr; });
      cp_async_commit();
    };
    q.template fetch<16, kThreads>([&](int i) { return G4_GUARD(query.first + i < query.rows) ? in.q_row(query, query.first + i, kv_head) : nullptr; });
    cp_async_commit();
    fetch(k, in.k, warp);
    fetch(v, in.v, warp);
    cp_async_wait<2>();
    __syncthreads();  // q is here (of the row tile before, only empty groups are open)

    SoftmaxState total{{-INFINITY, -INFINITY}, {0.0f, 0.0f}};
    float o[kShare][4] = {};
    const int visible0 = query.visible(query.first + lane / 4, in.group), visible8 = query.visible(query.first + lane / 4 + 8, in.group);
    for (int round = 0; round * kTileKeys < seen; round += kWarps) {
      const int t = round + warp, start = t * kTileKeys;
      float* mine = found + warp * kFound * kWarp;
      const bool computes = start < seen && !shares.has(sequence, t);
      float s[kTileKeys / 8][4] = {};
      cp_async_wait<1>();
      __syncwarp();  // k is here
      if (computes) {
        scores(s, q, 0, k);
        hide(s, visible0 - start, visible8 - start);
        const SoftmaxState state = softmax(s, scale2);
#pragma unroll
        for (int h = 0; h < 2; h++) {
          mine[(kHeadDim / 2 + h) * kWarp] = state.max[h];
          mine[(kHeadDim / 2 + 2 + h) * kWarp] = state.sum[h];
        }
      }
      __syncwarp();  // nobody reads k any more
      fetch(k, in.k, t + kWarps);
      cp_async_wait<1>();
      __syncwarp();  // v is here
      if (computes) {
        weigh_values(s, v, [&](int n, const float (&part)[4]) {
#pragma unroll
          for (int j = 0; j < 4; j++) mine[(n * 4 + j) * kWarp] = part[j];
        });
      } else if (start < seen) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
          const int row = query.first + h * 8 + lane / 4;
          if (!G4_GUARD(row < query.rows)) continue;
          const float* from = readable(shares.partial(t, in.out_row(query, row, kv_head)), kHeadDim + 8);
#pragma unroll
          for (int n = 0; n < kHeadDim / 8; n++) {
            const Floats<2> pair = load<2>(from + n * 8 + lane % 4 * 2);
            mine[(n * 4 + 2 * h) * kWarp] = pair.e[0];
            mine[(n * 4 + 2 * h + 1) * kWarp] = pair.e[1];
          }
          mine[(kHeadDim / 2 + h) * kWarp] = from[kHeadDim];
          mine[(kHeadDim / 2 + 2 + h) * kWarp] = from[kHeadDim + 4 + lane % 4];
        }
      }
      __syncwarp();  // nobody reads v any more
      fetch(v, in.v, t + kWarps);
      __syncthreads();  // all tiles of this round are there
#pragma unroll
      for (int w = 0; w < kWarps; w++) {
        if ((round + w) * kTileKeys >= seen) break;
        const float* its = found + w * kFound * kWarp;
        SoftmaxState tile;
#pragma unroll
        for (int h = 0; h < 2; h++) {
          tile.max[h] = its[(kHeadDim / 2 + h) * kWarp];
          tile.sum[h] = its[(kHeadDim / 2 + 2 + h) * kWarp];
        }
        const MergeWeights weights = merge(total, tile, scale2);
#pragma unroll
        for (int n = 0; n < kShare; n++) {
          float part[4];
#pragma unroll
          for (int j = 0; j < 4; j++) part[j] = its[((warp * kShare + n) * 4 + j) * kWarp];
          merge_values(o[n], part, weights);
        }
      }
      __syncthreads();  // before the next round writes what it finds
    }

#pragma unroll
    for (int h = 0; h < 2; h++) {
      const int row = query.first + h * 8 + lane / 4;
      const float factor = 1.0f / quad_sum(total.sum[h]);
      if (!G4_GUARD(row < query.rows)) continue;
      T* to = in.o + in.out_row(query, row, kv_head) * kHeadDim + warp * kShare * 8 + lane % 4 * 2;
#pragma unroll
      for (int n = 0; n < kShare; n++) *reinterpret_cast<uint32_t*>(to + n * 8) = pair_of<T>(o[n][2 * h] * factor, o[n][2 * h + 1] * factor);
    }
  }
}

}  // namespace g4::cuda
