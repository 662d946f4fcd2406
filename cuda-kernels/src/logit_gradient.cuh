// The gradient of a row's log-prob and entropy by its logits, written over the logits.
//
//   d logits_v = (1 / T) (d_logprob (1[v = target] - p_v) - d_entropy p_v (log p_v + H))
//              = p_v (c0 + c1 z_v) + 1[v = target] d_logprob / T
//
// Each warp walks its region from the back: what it read last for the statistics is what the second-level cache still holds.
#pragma once

#include "row_statistics.cuh"

namespace g4::cuda {

// Every thread of the block must have read the target's logit before any comes here.
template <int V>
__device__ __forceinline__ void write_gradient(float* row, int vocab, int target, const RowStatistics& s, float d_logprob, float d_entropy) {
  const float inv = s.inv_temperature, scale = inv * kLog2E, norm = 1.0f / s.sum, base = base_of(s.max);
  const float c0 = inv * (-d_logprob - d_entropy * (s.entropy - s.log_sum)), c1 = -inv * d_entropy * kLn2;
  const Region region = region_of<V>(warp_of_thread(), vocab);
  for_columns<V, Walk::kBackwards>(region, [&](int column) { return load_pack<V>(row + column); }, [&](Floats<V>(&x)[kAhead], int at) {
#pragma unroll
    for (int u = 0; u < kAhead; u++) {
      const int column = at + u * kWarp * V;
      if (!G4_GUARD(column < region.end)) break;
#pragma unroll
      for (int k = 0; k < V; k++) {
        const float z = (x[u].e[k] - base) * scale;
        x[u].e[k] = exp2_approx(z) * norm * fmaf(c1, fmaxf(z, kLowestPower), c0);
        if (column + k == target) x[u].e[k] += inv * d_logprob;
      }
      store_pack<V>(row + column, x[u]);
    }
  });
}

template <int V>
__device__ __forceinline__ void write_zeros(float* row, int vocab) {
  const Region region = region_of<V>(warp_of_thread(), vocab);
  for (int column = region.begin + lane_of_thread() * V; G4_GUARD(column < region.end); column += kWarp * V) store_pack<V>(row + column, Floats<V>{});
}

}  // namespace g4::cuda
