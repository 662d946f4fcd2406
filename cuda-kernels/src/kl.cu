// Exact KL divergence of rows of logits over the vocabulary, and its gradient by the policy's logits.
//
//   KL = sum_v p_v (log p_v - log r_v) = ln 2 sum_v 2^(z_v) (z_v - w_v) / S - log S + log S'     z, S of x; w, S' of y (row_statistics.cuh)
//   d KL / d x_v = (1 / T) p_v (log p_v - log r_v - KL)
//
// logits x and ref_logits y f32 [rows, vocab], one block a row. Bytes per column: forward 16 (both rows twice, the second time from the
// second-level cache where it holds them); backward 20 and a store of 4. Lanes sum their columns in order, warps are merged in order.
#include "row_statistics.cuh"

namespace g4::cuda {

namespace {

// For every thread of the block; two barriers, after which `sums` [kRowWarps] may be read only.
template <int V>
__device__ __forceinline__ float row_kl(const float* x, const float* y, int vocab, const RowStatistics& p, const RowStatistics& r, float* sums) {
  const float scale = p.inv_temperature * kLog2E, x_base = base_of(p.max), y_base = base_of(r.max);
  const Region region = region_of<V>(warp_of_thread(), vocab);
  float sum = 0.0f;
  for_columns<V>(region, [&](int column) { return load_pack<V>(x + column); }, [&](const Floats<V>(&a)[kAhead], int at) {
#pragma unroll
    for (int u = 0; u < kAhead; u++) {
      const int column = at + u * kWarp * V;
      if (column >= region.end) break;  // x is -infinity there and adds nothing, but y must not be read
      const Floats<V> b = load_pack<V>(y + column);
#pragma unroll
      for (int k = 0; k < V; k++) {
        const float z = (a[u].e[k] - x_base) * scale, w = (b.e[k] - y_base) * scale;
        sum = fmaf(exp2_approx(z), fmaxf(z, kLowestPower) - fmaxf(w, kLowestPower), sum);
      }
    }
  });
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) sum += __shfl_xor_sync(kAllLanes, sum, offset);
  if (lane_of_thread() == 0) sums[warp_of_thread()] = sum;
  __syncthreads();
  float total = sums[0];
#pragma unroll 4
  for (int w = 1; w < kRowWarps; w++) total += sums[w];
  const float kl = kLn2 * (total / p.sum) - p.log_sum + r.log_sum;
  return kl < 0.0f ? 0.0f : kl;  // rounding; NaN stays
}

template <int V>
__global__ void __launch_bounds__(kRowThreads, kRowBlocks) kl_kernel(float* kl, const float* logits, const float* ref_logits, int vocab, float inv_temperature) {
  G4_SHARED(Statistics, warps, kRowWarps);
  G4_SHARED(Statistics, ref_warps, kRowWarps);
  G4_SHARED(float, sums, kRowWarps);
  const int64_t row = blockIdx.x;
  const float *x = logits + row * vocab, *y = ref_logits + row * vocab;
  const RowStatistics p = row_statistics<V>(x, vocab, inv_temperature, warps);
  const RowStatistics r = row_statistics<V>(y, vocab, inv_temperature, ref_warps);
  const float value = row_kl<V>(x, y, vocab, p, r, sums);
  if (threadIdx.x == 0) kl[row] = value;
}

template <int V>
__global__ void __launch_bounds__(kRowThreads, kRowBlocks)
    kl_backward_kernel(float* ref_logits, const float* logits, const float* d_kl, int vocab, float inv_temperature) {
  G4_SHARED(Statistics, warps, kRowWarps);
  G4_SHARED(Statistics, ref_warps, kRowWarps);
  G4_SHARED(float, sums, kRowWarps);
  const int64_t row = blockIdx.x;
  const float* x = logits + row * vocab;
  float* y = ref_logits + row * vocab;
  const RowStatistics p = row_statistics<V>(x, vocab, inv_temperature, warps);
  const RowStatistics r = row_statistics<V>(y, vocab, inv_temperature, ref_warps);
  const float kl = row_kl<V>(x, y, vocab, p, r, sums);
  const float d = d_kl[row], scale = inv_temperature * kLog2E, x_base = base_of(p.max), y_base = base_of(r.max);
  const float factor = d * inv_temperature / p.sum, shift = p.log_sum - r.log_sum + kl;
  const Region region = region_of<V>(warp_of_thread(), vocab);
  for_columns<V, Walk::kBackwards>(region, [&](int column) { return load_pack<V>(x + column); }, [&](Floats<V>(&a)[kAhead], int at) {
#pragma unroll
    for (int u = 0; u < kAhead; u++) {
      const int column = at + u * kWarp * V;
      if (!G4_GUARD(column < region.end)) break;
      const Floats<V> b = load_pack<V>(y + column);
#pragma unroll
      for (int k = 0; k < V; k++) {
        const float z = (a[u].e[k] - x_base) * scale, w = (b.e[k] - y_base) * scale;
        const float difference = kLn2 * (fmaxf(z, kLowestPower) - fmaxf(w, kLowestPower));
        a[u].e[k] = d == 0.0f ? 0.0f : exp2_approx(z) * factor * (difference - shift);
      }
      store_pack<V>(y + column, a[u]);
    }
  });
}

}  // namespace

}  // namespace g4::cuda

using namespace g4::cuda;

int g4_kl(g4_stream stream, g4_ptr kl, g4_cptr logits, g4_cptr ref_logits, int64_t rows, int64_t vocab, float inv_temperature) {
  if (rows == 0) return G4_OK;
  return with_vector<float>(vocab, [&](auto vector) {
    launch(kl_kernel<decltype(vector)::value>, dim3(unsigned(rows)), dim3(kRowThreads), 0, stream, static_cast<float*>(kl),
           static_cast<const float*>(logits), static_cast<const float*>(ref_logits), int(vocab), inv_temperature);
    return status();
  });
}

int g4_kl_backward(g4_stream stream, g4_ptr ref_logits, g4_cptr logits, g4_cptr d_kl, int64_t rows, int64_t vocab, float inv_temperature) {
  if (rows == 0) return G4_OK;
  return with_vector<float>(vocab, [&](auto vector) {
    launch(kl_backward_kernel<decltype(vector)::value>, dim3(unsigned(rows)), dim3(kRowThreads), 0, stream, static_cast<float*>(ref_logits),
           static_cast<const float*>(logits), static_cast<const float*>(d_kl), int(vocab), inv_temperature);
    return status();
  });
}
