// The one place where nvcc and the host compiler differ. Kernels include this and nothing else of CUDA, so the same source
// runs on a GPU (nvcc) and on the emulation in ../emulation (host compiler).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "grpo4j/ops.h"

#if defined(__CUDACC__)

#include <cuda_bf16.h>
#include <cuda_runtime.h>

// Arrays in the block's shared memory: of a size known here, or of the size that the launch names.
#define G4_SHARED(type, name, count) __shared__ type name[count]
#define G4_DYNAMIC_SHARED(type, name)                            \
  extern __shared__ __align__(16) unsigned char g4_dynamic_shared[]; \
  type* name = reinterpret_cast<type*>(g4_dynamic_shared)

namespace g4::cuda {

template <class... P, class... A>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, g4_stream stream, A... arguments) {
  kernel<<<grid, block, shared, static_cast<cudaStream_t>(stream)>>>(static_cast<P>(arguments)...);
}

__device__ __forceinline__ uint16_t bf16_bits(float value) { return __bfloat16_as_ushort(__float2bfloat16_rn(value)); }

}  // namespace g4::cuda

#else

#include "simt.h"

// As in CUDA, every instantiation of a template has its own array: the lambda's type, and so its static, is one of them.
#define G4_SHARED(type, name, count)                                                 \
  auto& name = *static_cast<type(*)[count]>(::g4::emulation::Block::current().static_shared( \
      [] { static char key; return &key; }(), sizeof(type) * (count)))
#define G4_DYNAMIC_SHARED(type, name) type* name = static_cast<type*>(::g4::emulation::Block::current().dynamic_shared())

namespace g4::cuda {

template <class... P, class... A>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, g4_stream stream, A... arguments) {
  g4::emulation::launch_blocks(static_cast<cudaStream_t>(stream), grid, block, shared,
                               [=] { kernel(g4::emulation::kernel_argument(static_cast<P>(arguments))...); });
}

// Round to nearest even; NaN becomes the quiet NaN that __float2bfloat16_rn makes of it.
inline uint16_t bf16_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
  return uint16_t((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

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
