// Softmax of 16 query rows over 64 keys, and how such tiles are put together.
//
// Each tile of 64 key positions (0, 64, 128, ... of the sequence) has its own maximum, sum and weighted values; the tiles are
// added up in ascending order. Whether one warp does them one after the other (attention_forward.cuh) or several warps and
// blocks at once (attention_paged.cu), the arithmetic is the same, so the bits of a row are, too.
//
// A lane holds the elements of mma's fragment c: rows g = lane / 4 and g + 8, columns 2 (lane % 4) + {0, 1} of every 8. Sums
// stay apart for the four lanes of a row until the very end.
#pragma once

#include <cmath>

#include "tile.cuh"

namespace g4::cuda {

constexpr int kTileKeys = 64;
constexpr float kLog2E = 1.4426950408889634f;

// Of rows g and g + 8.
struct SoftmaxState {
  float max[2];
  float sum[2];
};

__device__ __forceinline__ float quad_max(float value) {
  value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, 1));
  return fmaxf(value, __shfl_xor_sync(kAllLanes, value, 2));
}

__device__ __forceinline__ float quad_sum(float value) {
  value += __shfl_xor_sync(kAllLanes, value, 1);
  return value + __shfl_xor_sync(kAllLanes, value, 2);
}

// Scores of keys that a row does not see <- -infinity. `visible`: how many keys from `start` on rows g and g + 8 see.
__device__ __forceinline__ void hide(float (&s)[kTileKeys / 8][4], int visible0, int visible1) {
  const int column = int(threadIdx.x) % 4 * 2;
#pragma unroll
  for (int n = 0; n < kTileKeys / 8; n++)
#pragma unroll
    for (int j = 0; j < 4; j++)
      if (!G4_GUARD(n * 8 + column + j % 2 < (j < 2 ? visible0 : visible1))) s[n][j] = -INFINITY;
}

// s <- e^(scale (s - max)), with scale2 = scale log2(e).
__device__ __forceinline__ SoftmaxState softmax(float (&s)[kTileKeys / 8][4], float scale2) {
  SoftmaxState state;
#pragma unroll
  for (int h = 0; h < 2; h++) {
    float top = s[0][2 * h];
#pragma unroll
    for (int n = 0; n < kTileKeys / 8; n++) top = fmaxf(fmaxf(top, s[n][2 * h]), s[n][2 * h + 1]);
    state.max[h] = quad_max(top);
    const float shift = state.max[h] == -INFINITY ? 0.0f : -state.max[h] * scale2;
    state.sum[h] = 0.0f;
#pragma unroll
    for (int n = 0; n < kTileKeys / 8; n++)
#pragma unroll
      for (int j = 2 * h; j < 2 * h + 2; j++) {
        s[n][j] = exp2_approx(fmaf(s[n][j], scale2, shift));
        state.sum[h] += s[n][j];
      }
  }
  return state;
}

// What the values so far and those of the next tile are multiplied with.
struct MergeWeights {
  float before[2];
  float tile[2];
};

__device__ __forceinline__ MergeWeights merge(SoftmaxState& total, const SoftmaxState& tile, float scale2) {
  MergeWeights weights;
#pragma unroll
  for (int h = 0; h < 2; h++) {
    const float top = fmaxf(total.max[h], tile.max[h]);
    weights.before[h] = exp2_approx((total.max[h] - top) * scale2);
    weights.tile[h] = exp2_approx((tile.max[h] - top) * scale2);
    total.max[h] = top;
    total.sum[h] = fmaf(tile.sum[h], weights.tile[h], total.sum[h] * weights.before[h]);
  }
  return weights;
}

__device__ __forceinline__ void merge_values(float (&total)[4], const float (&tile)[4], const MergeWeights& weights) {
#pragma unroll
  for (int j = 0; j < 4; j++) total[j] = fmaf(tile[j], weights.tile[j / 2], total[j] * weights.before[j / 2]);
}

// s (16 x 64) <- q (rows `row` on of its tile) k^T
template <class T, int kHeadDim>
__device__ __forceinline__ void scores(float (&s)[kTileKeys / 8][4], const Tile<T, kHeadDim>& q, int row, const Tile<T, kHeadDim>& k) {
#pragma unroll
  for (int n = 0; n < kTileKeys / 8; n++)
#pragma unroll
    for (int j = 0; j < 4; j++) s[n][j] = 0.0f;
#pragma unroll
  for (int d = 0; d < kHeadDim; d += 16) {
    uint32_t a[4];
    q.load_a(a, row, d);
#pragma unroll
    for (int n = 0; n < kTileKeys / 8; n += 2) {
      uint32_t b[4];
      k.load_b_rows(b, n * 8, d);
      multiply<T>(s[n], a, b[0], b[1]);
      multiply<T>(s[n + 1], a, b[2], b[3]);
    }
  }
}

}  // namespace g4::cuda
