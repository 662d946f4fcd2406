// Where a measure reaches a limit: the one primitive that filters and draws are made of.
//
//   quantile(limit) = the smallest rank R with  measure of {items of rank <= R} > limit
//
// The k-th largest logit (rank: the logit's bits in order; every item counts 1), the cut of top-p (the same ranks, weighed by
// probability), a tie's place and the token that a random number draws (rank: the id) are all quantiles. Measures are whole
// numbers of 2^-42 (fixed point), so sums do not depend on the order in which threads add: a block gives the same answer
// whatever its schedule, without sorting. The rank is found two bits at a time from the top, by three sums over the items a step.
#pragma once

#include "row_statistics.cuh"

namespace g4::cuda {

constexpr float kOne = 0x1p42f;          // a measure of 1
constexpr int64_t kMaxVocab = 1 << 20;   // so that a row's measure stays below 2^62

// Numbers in ascending order as whole numbers in ascending order; -0 and 0 are one.
__device__ __forceinline__ uint32_t rank_of(float x) {
  const uint32_t bits = __float_as_uint(x + 0.0f);
  return bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
}

__device__ __forceinline__ float number_of(uint32_t rank) { return __uint_as_float(rank >> 31 != 0 ? rank & 0x7fffffffu : ~rank); }

__device__ __forceinline__ uint64_t shuffle_xor(uint64_t value, int offset) {
  return __shfl_xor_sync(kAllLanes, static_cast<unsigned long long>(value), offset);
}

// Two sets by turns, so that one barrier a sum is enough.
constexpr int kMostSums = 3;
struct SumBuffer {
  uint64_t partial[2][kRowWarps][kMostSums];
};

class BlockSums {
 public:
  __device__ __forceinline__ explicit BlockSums(SumBuffer* buffer) : buffer_(buffer) {}

  // values[n] <- its sum over the block, for every thread.
  template <int N>
  __device__ __forceinline__ void sum(uint64_t (&values)[N]) {
    turn_ ^= 1;
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
      for (int offset = kWarp / 2; offset > 0; offset /= 2) values[n] += shuffle_xor(values[n], offset);
      if (lane_of_thread() == 0) buffer_->partial[turn_][warp_of_thread()][n] = values[n];
    }
    __syncthreads();
#pragma unroll
    for (int n = 0; n < N; n++) {
      values[n] = 0;
#pragma unroll 4
      for (int w = 0; w < kRowWarps; w++) values[n] += buffer_->partial[turn_][w][n];
    }
  }

  // each(add): calls add(measure) for each of this thread's items.
  template <class Each>
  __device__ __forceinline__ uint64_t of(Each each) {
    uint64_t total[1] = {0};
    each([&](uint64_t measure) { total[0] += measure; });
    sum(total);
    return total[0];
  }

  // each(add): calls add(rank, measure) for each of this thread's items; the ranks have `bits` bits (even).
  template <class Each>
  __device__ __forceinline__ uint32_t quantile(int bits, uint64_t limit, Each each) {
    uint32_t rank = 0;
    for (int shift = bits - 2; shift >= 0; shift -= 2) {
      const uint32_t a = rank + (1u << shift), b = a + (1u << shift), c = b + (1u << shift);
      uint64_t below[3] = {0, 0, 0};  // the measure of ranks under a, b, c
      each([&](uint32_t r, uint64_t measure) {
        below[0] += r < a ? measure : 0;
        below[1] += r < b ? measure : 0;
        below[2] += r < c ? measure : 0;
      });
      sum(below);
      rank = below[2] <= limit ? c : below[1] <= limit ? b : below[0] <= limit ? a : rank;
    }
    return rank;
  }

 private:
  SumBuffer* buffer_;
  int turn_ = 0;
};

}  // namespace g4::cuda
