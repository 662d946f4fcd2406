// Sums over a warp and over a block. The order is that of a fixed tree: lanes by butterfly, then warps in ascending order, so
// the bits depend on the block size only.
#pragma once

#include "device.cuh"

namespace g4::cuda {

__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(kAllLanes, value, offset);
  return value;
}

// values[n] <- its sum over the block, for every thread. `partial` is shared memory for kWarps * N floats. There is one
// barrier, between writing and reading it: a caller that sums again must not write the same `partial` in its next call
// (it alternates between two), since a slow warp may still be reading.
template <int kWarps, int N>
__device__ __forceinline__ void block_sums(float (&values)[N], float* partial) {
  const int warp = int(threadIdx.x) / kWarp;
#pragma unroll
  for (int n = 0; n < N; n++) {
    values[n] = warp_sum(values[n]);
    if (threadIdx.x % kWarp == 0) partial[warp * N + n] = values[n];
  }
  __syncthreads();
#pragma unroll
  for (int n = 0; n < N; n++) {
    values[n] = partial[n];
#pragma unroll
    for (int w = 1; w < kWarps; w++) values[n] += partial[w * N + n];
  }
}

}  // namespace g4::cuda
