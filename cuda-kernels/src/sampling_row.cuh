// One row of logits as sampling sees it: which ids may be drawn, their logits after the repetition penalty, their weights.
#pragma once

#include "quantile.cuh"

namespace g4::cuda {

// What the host works out once for a call, all rows of it.
struct Sampling {
  int vocab;
  int used;              // ids from here on are padding
  bool greedy;
  float inv_temperature;
  int top_k;             // 0: off
  uint64_t dropped;      // top-p: 1 - p in units of 2^-63; 0: off
  float min_p;           // 0: off
  float penalty;
  uint64_t seed;

  __device__ __forceinline__ bool filters() const { return top_k > 0 || dropped != 0 || min_p > 0.0f; }
};

// e^x with the bits of the CPU kernels (native/src/simd/math.h): Cody & Waite reduction, the polynomial of Cephes expf. x is
// at most 0 here.
__device__ __forceinline__ float exp_of_negative(float x) {
  const float n = rintf(x * 1.44269504088896341f);
  float r = fmaf(n, -0.693359375f, x);
  r = fmaf(n, 2.12194440e-4f, r);
  float p = 1.9875691500e-4f;
  p = fmaf(p, r, 1.3981999507e-3f);
  p = fmaf(p, r, 8.3334519073e-3f);
  p = fmaf(p, r, 4.1665795894e-2f);
  p = fmaf(p, r, 1.6666665459e-1f);
  p = fmaf(p, r, 5.0000001201e-1f);
  const float y = fmaf(p, r * r, r) + 1.0f;
  if (!(x >= -87.33654022216797f)) return x == x ? 0.0f : x;
  return __uint_as_float(__float_as_uint(y) + (uint32_t(int(n)) << 23));  // a normal number times 2^n: still normal
}

class SamplingRow {
 public:
  // seen: a bit for each id of the row's history, or null without a penalty.
  __device__ __forceinline__ SamplingRow(const float* x, const Sampling& op, const unsigned* seen) : x_(x), op_(op), seen_(seen) {}

  __device__ __forceinline__ float operator[](int id) const { return penalised(x_[id], id); }

  template <int V>
  __device__ __forceinline__ Floats<V> vector(int id) const {
    Floats<V> v = load_pack<V>(x_ + id);
#pragma unroll
    for (int k = 0; k < V; k++) v.e[k] = G4_GUARD(id + k < op_.used) ? penalised(v.e[k], id + k) : negative_infinity();
    return v;
  }

  // As it came, for the log-prob.
  __device__ __forceinline__ float original(int id) const { return x_[id]; }

  __device__ __forceinline__ bool differs(Region region) const { return seen_ != nullptr || region.end > op_.used; }

  __device__ __forceinline__ float weight(float x, float top) const { return exp_of_negative((x - top) * op_.inv_temperature); }

  // The weight in units of 2^-42; nothing for what is not a number.
  __device__ __forceinline__ uint64_t mass(float x, float top) const {
    const float w = weight(x, top);
    return w > 0.0f ? uint64_t(w * kOne) : 0;
  }

 private:
  __device__ __forceinline__ float penalised(float x, int id) const {
    if (seen_ == nullptr || (seen_[id / 32] >> (id % 32) & 1u) == 0) return x;
    return x < 0.0f ? x * op_.penalty : x / op_.penalty;
  }

  const float* x_;
  const Sampling& op_;
  const unsigned* seen_;
};

}  // namespace g4::cuda
