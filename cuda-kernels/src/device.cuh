// The one place where nvcc and the host compiler differ. Kernels include this and nothing else of CUDA, so the same source
// runs on a GPU (nvcc) and on the emulation in ../emulation (host compiler).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "grpo4j/ops.h"

#if defined(__CUDACC__)

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

// Arrays in the block's shared memory: of a size known here, or of the size that the launch names.
#define G4_SHARED(type, name, count) __shared__ type name[count]
#define G4_DYNAMIC_SHARED(type, name)                            \
  extern __shared__ __align__(16) unsigned char g4_dynamic_shared[]; \
  type* name = reinterpret_cast<type*>(g4_dynamic_shared)

// A condition that keeps a thread inside its data. The emulation can leave one out, to see whether a test notices.
#define G4_GUARD(...) (__VA_ARGS__)

namespace g4::cuda {

template <class... P, class... A>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, g4_stream stream, A... arguments) {
  kernel<<<grid, block, shared, static_cast<cudaStream_t>(stream)>>>(static_cast<P>(arguments)...);
}

__device__ __forceinline__ uint16_t bf16_bits(float value) { return __bfloat16_as_ushort(__float2bfloat16_rn(value)); }
__device__ __forceinline__ uint16_t f16_bits(float value) { return __half_as_ushort(__float2half_rn(value)); }
__device__ __forceinline__ float f16_value(uint16_t bits) { return __half2float(__ushort_as_half(bits)); }

// 2^x with a relative error of 2^-22; 0 below -126, subnormal numbers included. One instruction of the special-function unit.
__device__ __forceinline__ float exp2_approx(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

}  // namespace g4::cuda

#else

#include "simt.h"

// As in CUDA, every instantiation of a template has its own array: the lambda's type, and so its static, is one of them.
#define G4_SHARED(type, name, count)                                                 \
  auto& name = *static_cast<type(*)[count]>(::g4::emulation::Block::current().static_shared( \
      [] { static char key; return &key; }(), sizeof(type) * (count)))
#define G4_DYNAMIC_SHARED(type, name) type* name = static_cast<type*>(::g4::emulation::Block::current().dynamic_shared())

#define G4_GUARD(...)                                                                          \
  ::g4::emulation::guarded((__VA_ARGS__), []() -> ::g4::emulation::GuardSite& {               \
    static ::g4::emulation::GuardSite site(__FILE__, __LINE__);                               \
    return site;                                                                              \
  }())

namespace g4::cuda {

template <class... P, class... A>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, g4_stream, A... arguments) {
  g4::emulation::launch_blocks(grid, block, shared, [&] { kernel(static_cast<P>(arguments)...); });
}

// Round to nearest even; NaN becomes the quiet NaN that __float2bfloat16_rn makes of it.
inline uint16_t bf16_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
  return uint16_t((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

// Round to nearest even; 65520 and above become infinity; NaN as __float2half_rn makes it.
inline uint16_t f16_bits(float value) {
  const uint32_t bits = __float_as_uint(value), magnitude = bits & 0x7fffffffu;
  const uint32_t sign = bits >> 16 & 0x8000u;
  if (magnitude > 0x7f800000u) return 0x7fff;
  if (magnitude >= 0x477ff000u) return uint16_t(sign | 0x7c00u);
  // Subnormal: adding 0.5 leaves the multiple of 2^-24 in the low bits of the sum, rounded by the adder.
  if (magnitude < 0x38800000u) return uint16_t(sign | (__float_as_uint(__uint_as_float(magnitude) + 0.5f) - 0x3f000000u));
  return uint16_t(sign | (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13);
}

inline float f16_value(uint16_t bits) {
  const uint32_t sign = uint32_t(bits & 0x8000u) << 16, exponent = bits >> 10 & 31u, fraction = bits & 0x3ffu;
  if (exponent == 31) return __uint_as_float(sign | 0x7f800000u | fraction << 13);
  if (exponent != 0) return __uint_as_float(sign | (exponent + 112) << 23 | fraction << 13);
  return sign != 0 ? -float(fraction) * 0x1p-24f : float(fraction) * 0x1p-24f;
}

inline float exp2_approx(float x) { return x < -126.0f ? 0.0f : std::exp2(x); }

}  // namespace g4::cuda

#endif

namespace g4::cuda {

constexpr unsigned kAllLanes = 0xffffffffu;
constexpr int kWarp = 32;
constexpr unsigned kMaxGridY = 65535;

// What the launches since the last call came to, as a g4_status. A fault inside a kernel shows at a later call.
inline int status() {
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? G4_OK : error == cudaErrorMemoryAllocation ? G4_OUT_OF_MEMORY : G4_INTERNAL;
}

__host__ __device__ constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace g4::cuda
