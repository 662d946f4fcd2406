// Statistics of one row of logits x [vocab], shared by log-probs, the policy loss and sampling: same row, same bits.
//
//   z_v = (x_v - max x) log2(e) / T,  S = sum 2^(z_v),  D = sum 2^(z_v) z_v
//   log p_v = (x_v - max x) / T - log S,  H = log S - ln 2 D / S
//
// A block of 512 threads has one row; each of its 16 warps has a region of neighbouring columns, so that a region's share of
// the mass is known when a token is drawn. A lane keeps (max, S, D) of the columns it has seen and corrects S and D when the
// maximum grows (Milakov & Gimelshein 2018), 4 vectors at a time; lanes are merged by butterfly, warps in order. Each vector
// costs a subtraction, a product, an exponential of the special-function unit and four operations more an element: about 8
// issue slots for 4 bytes, 30 % of what an SM issues while it reads at its share of 4.3 TB/s.
//
// Bytes: the row once. Two blocks an SM have 1,024 lanes with 64 bytes under way: 64 KB, and 264 rows fill an H200 in one go.
#pragma once

#include "vector.cuh"

namespace g4::cuda {

constexpr int kRowThreads = 512;
constexpr int kRowWarps = kRowThreads / kWarp;
constexpr int kRowBlocks = 2;  // of an SM
constexpr int kAhead = 4;      // vectors that a lane has under way
constexpr float kLog2E = 1.44269504088896341f;
constexpr float kLn2 = 0.69314718055994531f;

// Beyond this the power is 0 whatever the exact argument; it keeps 0 * -infinity out of the sums.
constexpr float kLowestPower = -300.0f;

__device__ __forceinline__ float negative_infinity() { return __uint_as_float(0xff800000u); }

// The columns of one warp. Regions are whole rounds of a warp's loads, so that no vector lies in two of them.
struct Region {
  int begin;
  int end;
};

template <int V>
__device__ __forceinline__ int region_columns(int vocab) {
  return int(ceil_div(vocab, kRowWarps * kWarp * V)) * kWarp * V;
}

template <int V>
__device__ __forceinline__ Region region_of(int warp, int vocab) {
  const int columns = region_columns<V>(vocab), begin = warp * columns;
  return {begin < vocab ? begin : vocab, begin + columns < vocab ? begin + columns : vocab};
}

__device__ __forceinline__ int warp_of_thread() { return int(threadIdx.x) / kWarp; }
__device__ __forceinline__ int lane_of_thread() { return int(threadIdx.x) % kWarp; }

struct Statistics {
  float max;  // of x
  float sum;  // of 2^z
  float dot;  // of 2^z z
};

__device__ __forceinline__ Statistics no_statistics() { return {negative_infinity(), 0.0f, 0.0f}; }

// What the sums are relative to: the largest x, or 0 while there is none.
__device__ __forceinline__ float base_of(float max) { return max == negative_infinity() ? 0.0f : max; }

// The statistics of the same columns, relative to a larger maximum. A sum that is not a number stays one.
__device__ __forceinline__ Statistics rebased(const Statistics& s, float max, float scale) {
  const float z = fmaxf((s.max - base_of(max)) * scale, kLowestPower);
  const float factor = exp2_approx(z);
  return {max, factor * s.sum, factor * fmaf(z, s.sum, s.dot)};
}

__device__ __forceinline__ Statistics merged(const Statistics& a, const Statistics& b, float scale) {
  const float max = fmaxf(a.max, b.max);
  const Statistics x = rebased(a, max, scale), y = rebased(b, max, scale);
  return {max, x.sum + y.sum, x.dot + y.dot};
}

// The elements beyond a region's end are -infinity: they add nothing.
template <int V>
__device__ __forceinline__ void add_columns(Statistics& s, const Floats<V> (&x)[kAhead], float scale) {
  float max = s.max;
#pragma unroll
  for (int u = 0; u < kAhead; u++)
#pragma unroll
    for (int k = 0; k < V; k++) max = fmaxf(max, x[u].e[k]);
  s = rebased(s, max, scale);
  const float base = base_of(max);
#pragma unroll
  for (int u = 0; u < kAhead; u++)
#pragma unroll
    for (int k = 0; k < V; k++) {
      const float z = (x[u].e[k] - base) * scale;
      const float e = exp2_approx(z);
      s.sum += e;
      s.dot = fmaf(e, fmaxf(z, kLowestPower), s.dot);
    }
}

enum class Walk { kForwards, kBackwards };

// Calls body(x, column) for this lane's vectors of a region, kAhead of them at a time: x[u] starts at column + u * kWarp * V.
// load_vector(column) gives a vector; vectors beyond the region's end are -infinity.
template <int V, Walk kWalk = Walk::kForwards, class Load, class Body>
__device__ __forceinline__ void for_columns(Region region, Load load_vector, Body body) {
  constexpr int kRound = kAhead * kWarp * V;
  const int rounds = int(ceil_div(region.end - region.begin, kRound));
  for (int round = 0; round < rounds; round++) {
    const int at = region.begin + (kWalk == Walk::kForwards ? round : rounds - 1 - round) * kRound + lane_of_thread() * V;
    Floats<V> x[kAhead];
#pragma unroll
    for (int u = 0; u < kAhead; u++) {
      const int column = at + u * kWarp * V;
      if (G4_GUARD(column < region.end)) {
        x[u] = load_vector(column);
      } else {
#pragma unroll
        for (int k = 0; k < V; k++) x[u].e[k] = negative_infinity();
      }
    }
    body(x, at);
  }
}

template <int V, class Load>
__device__ __forceinline__ Statistics lane_statistics(Region region, float scale, Load load_vector) {
  Statistics s = no_statistics();
  for_columns<V>(region, load_vector, [&](const Floats<V>(&x)[kAhead], int) { add_columns<V>(s, x, scale); });
  return s;
}

__device__ __forceinline__ Statistics warp_statistics(Statistics s, float scale) {
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    const Statistics other{__shfl_xor_sync(kAllLanes, s.max, offset), __shfl_xor_sync(kAllLanes, s.sum, offset), __shfl_xor_sync(kAllLanes, s.dot, offset)};
    s = merged(s, other, scale);
  }
  return s;
}

// All warps' statistics, in order; `warps` is in shared memory and written.
__device__ __forceinline__ Statistics merged_warps(const Statistics* warps, float scale) {
  Statistics s = warps[0];
#pragma unroll 4
  for (int w = 1; w < kRowWarps; w++) s = merged(s, warps[w], scale);
  return s;
}

// What the statistics say about softmax(x / T).
struct RowStatistics {
  float max;
  float sum;
  float log_sum;
  float entropy;
  float inv_temperature;

  __device__ __forceinline__ RowStatistics(const Statistics& s, float inv)
      : max(s.max), sum(s.sum), log_sum(logf(s.sum)), entropy(log_sum - kLn2 * (s.dot / s.sum)), inv_temperature(inv) {}

  // The product's own rounding error comes back at the end.
  __device__ __forceinline__ float log_probability(float x) const {
    const float d = x - max, t = d * inv_temperature;
    const float error = fmaf(d, inv_temperature, -t);
    return error == error ? (t - log_sum) + error : t - log_sum;
  }
  __device__ __forceinline__ float lse() const { return fmaf(max, inv_temperature, log_sum); }
};

// The row's statistics for every thread of the block. One barrier, after which `warps` [kRowWarps] may be read only.
template <int V>
__device__ __forceinline__ RowStatistics row_statistics(const float* row, int vocab, float inv_temperature, Statistics* warps) {
  const float scale = inv_temperature * kLog2E;
  const Statistics own = lane_statistics<V>(region_of<V>(warp_of_thread(), vocab), scale, [&](int column) { return load_pack<V>(row + column); });
  const Statistics mine = warp_statistics(own, scale);
  if (lane_of_thread() == 0) warps[warp_of_thread()] = mine;
  __syncthreads();
  return RowStatistics(merged_warps(warps, scale), inv_temperature);
}

}  // namespace g4::cuda
