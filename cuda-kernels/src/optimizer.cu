// AdamW (Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2017).
//
//   p *= 1 - lr decay;  g = grad grad_scale;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
//   p -= lr (m / bc1) / (sqrt(v / bc2) + eps);  weight = p in its storage type
//
// master p, m, v, grad f32 [count], weight [count]. Every operation is an IEEE one in the order of the CPU kernel
// (native/src/kernels/optimizer.h), so states updated here, or by a CPU with fused products, have the same bits.
//
// Bytes per element with bf16 weights: 30 (p, m, v, grad in; p, m, v, weight out): 0.5B parameters are 15 GB, 3.4 ms at
// 4.3 TB/s. A thread has four vectors of 16 bytes under way; 256 threads a block, 6 blocks an SM at 36 registers: 96 KB.
// The division and the root cost about 20 instructions each, 60 in all for 30 bytes: 30 % of the issue slots.
#include "vector.cuh"

namespace g4::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kVector = 4;

struct AdamW {
  float keep, decay1, gain1, decay2, gain2, correction1, correction2, step, epsilon, scale;

  explicit AdamW(const g4_adamw_settings& s)
      : keep(1.0f - s.learning_rate * s.weight_decay),
        decay1(float(s.beta1)),
        gain1(float(1.0 - s.beta1)),
        decay2(float(s.beta2)),
        gain2(float(1.0 - s.beta2)),
        correction1(1.0f / s.bias_correction1),
        correction2(1.0f / s.bias_correction2),
        step(s.learning_rate),
        epsilon(s.epsilon),
        scale(s.grad_scale) {}

  __device__ __forceinline__ float update(float p, float& m, float& v, float grad) const {
    const float g = grad * scale;
    m = fmaf(gain1, g, decay1 * m);
    v = fmaf(gain2 * g, g, decay2 * v);
    const float denominator = sqrtf(v * correction2) + epsilon;
    return p * keep - step * (m * correction1) / denominator;
  }
};

// weight is null where master itself is the weight.
template <class T>
__global__ void __launch_bounds__(kThreads) adamw_kernel(T* weight, float* master, float* m, float* v, const float* grad, int64_t count, AdamW adamw) {
  const int64_t start = (int64_t(blockIdx.x) * kThreads + threadIdx.x) * kVector;
  if (start + kVector <= count) {
    Floats<kVector> p = load<kVector>(master + start), m1 = load<kVector>(m + start), v1 = load<kVector>(v + start);
    const Floats<kVector> g = load<kVector>(grad + start);
#pragma unroll
    for (int k = 0; k < kVector; k++) p.e[k] = adamw.update(p.e[k], m1.e[k], v1.e[k], g.e[k]);
    store<kVector>(master + start, p);
    store<kVector>(m + start, m1);
    store<kVector>(v + start, v1);
    if (weight != nullptr) store<kVector>(weight + start, p);
    return;
  }
  for (int64_t i = start; i < start + kVector; i++) {
    if (!G4_GUARD(i < count)) return;
    float m1 = m[i], v1 = v[i];
    const float p = adamw.update(master[i], m1, v1, grad[i]);
    master[i] = p;
    m[i] = m1;
    v[i] = v1;
    if (weight != nullptr) weight[i] = from_float<T>(p);
  }
}

}  // namespace

}  // namespace g4::cuda

using namespace g4::cuda;

// Matrices are row-major on this back end in every type, so `packed` makes no difference.
int g4_adamw(g4_stream stream, g4_ptr weight, int weight_dtype, int, g4_ptr master, g4_ptr m, g4_ptr v, g4_cptr grad, int64_t count, const g4_adamw_settings* settings) {
  if (count == 0) return G4_OK;
  return with_storage(weight_dtype, [&](auto type) {
    using T = decltype(type);
    launch(adamw_kernel<T>, dim3(unsigned(ceil_div(count, int64_t(kThreads) * kVector))), dim3(kThreads), 0, stream,
           weight == master ? static_cast<T*>(nullptr) : static_cast<T*>(weight), static_cast<float*>(master), static_cast<float*>(m), static_cast<float*>(v),
           static_cast<const float*>(grad), count, AdamW(*settings));
    return status();
  });
}
