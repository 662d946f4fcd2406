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
  if (shared > 48 * 1024) cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared));
  kernel<<<grid, block, shared, static_cast<cudaStream_t>(stream)>>>(static_cast<P>(arguments)...);
}

// In dynamic shared memory, the array after one of `count` elements. The emulation leaves a gap between the two that nobody may
// touch. All threads ask in the same order, and before they write anything.
template <class T>
__device__ __forceinline__ T* behind(T* array, int count) {
  return array + count;
}

__device__ __forceinline__ uint16_t bf16_bits(float value) { return __bfloat16_as_ushort(__float2bfloat16_rn(value)); }
__device__ __forceinline__ uint16_t f16_bits(float value) { return __half_as_ushort(__float2half_rn(value)); }
__device__ __forceinline__ float f16_value(uint16_t bits) { return __half2float(__ushort_as_half(bits)); }

// Two neighbouring elements in one register; the low half is the first.
__device__ __forceinline__ uint32_t bf16_pair(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}
__device__ __forceinline__ uint32_t f16_pair(float low, float high) {
  const __half2 pair = __floats2half2_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

// The emulation stops where `count` elements from here on are not all in device memory: what a guard keeps a thread from.
template <class T>
__device__ __forceinline__ const T* readable(const T* from, int) {
  return from;
}

// threadIdx.x, read anew: what is computed from it is computed here, and takes no register before.
__device__ __forceinline__ int thread_anew() {
  int thread;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
  return thread;
}

// The 16 bytes at `pack` to device memory, in one store whatever the compiler thinks of it.
__device__ __forceinline__ void store_16_bytes(void* to, const void* pack) {
  uint32_t words[4];
  memcpy(words, pack, sizeof words);
  asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(to)), "r"(words[0]), "r"(words[1]), "r"(words[2]), "r"(words[3])
               : "memory");
}

__device__ __forceinline__ float exp2_approx(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

// d (16 x 8) += a (16 x 16) b (16 x 8), the fragments of PTX's mma.m16n8k16; kHalf: fp16, else bf16.
template <bool kHalf>
__device__ __forceinline__ void mma_16816(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  if constexpr (kHalf) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  } else {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
}

// Four 8 x 8 matrices of 16-bit elements; lanes 8 j .. 8 j + 7 pass the addresses of the rows of matrix j.
template <bool kTransposed>
__device__ __forceinline__ void ldmatrix_x4(uint32_t (&registers)[4], const void* row) {
  const uint32_t at = uint32_t(__cvta_generic_to_shared(row));
  if constexpr (kTransposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
                 : "r"(at)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
                 : "r"(at)
                 : "memory");
  }
}

// Starts a copy of kBytes (4 or 16) from device to shared memory; zeros instead where !valid, and `from` is not read then.
template <int kBytes>
__device__ __forceinline__ void cp_async(void* to, const void* from, bool valid) {
  const uint32_t at = uint32_t(__cvta_generic_to_shared(to));
  const int bytes = valid ? kBytes : 0;
  if constexpr (kBytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(bytes) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(at), "l"(from), "n"(kBytes), "r"(bytes) : "memory");
  }
}
// Closes a group of copies; wait<N> returns when all of this thread's groups but the newest N have arrived.
__device__ __forceinline__ void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int kGroupsLeft>
__device__ __forceinline__ void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kGroupsLeft) : "memory");
}


}  // namespace g4::cuda

#else

#include "emulation.h"
#include "half.h"
#include "simt.h"
#include "tensor.h"

// As in CUDA, every instantiation of a template has its own array: the lambda's type, and so its static, is one of them.
#define G4_SHARED(type, name, count)                                                 \
  auto& name = *static_cast<type(*)[count]>(::g4::emulation::Block::current().static_shared( \
      [] { static char key; return &key; }(), sizeof(type) * (count)))
#define G4_GUARD(...) (::g4::emulation::guarded((__VA_ARGS__), G4_SITE))
#define G4_DYNAMIC_SHARED(type, name) type* name = static_cast<type*>(::g4::emulation::Block::current().dynamic_shared())

namespace g4::cuda {

template <class... P, class... A>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, g4_stream stream, A... arguments) {
  g4::emulation::launch_blocks(static_cast<cudaStream_t>(stream), grid, block, shared,
                               [=] { kernel(g4::emulation::kernel_argument(static_cast<P>(arguments))...); });
}

template <class T>
T* behind(T* array, int count) {
  return static_cast<T*>(emulation::Block::current().behind(array + count));
}

using emulation::f16_bits;
using emulation::f16_value;

// Round to nearest even; NaN becomes the quiet NaN that __float2bfloat16_rn makes of it.
inline uint16_t bf16_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
  return uint16_t((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

inline uint32_t bf16_pair(float low, float high) { return uint32_t(bf16_bits(low)) | uint32_t(bf16_bits(high)) << 16; }
inline uint32_t f16_pair(float low, float high) { return uint32_t(f16_bits(low)) | uint32_t(f16_bits(high)) << 16; }

template <class T>
const T* readable(const T* from, int count) {
  if (!emulation::inside_allocation(from, size_t(count) * sizeof(T))) emulation::fail(emulation::Block::current().who() + " reads outside every device allocation");
  return from;
}

inline void store_16_bytes(void* to, const void* pack) {
  struct alignas(16) Words {
    uint32_t words[4];
  };
  Words all;
  std::memcpy(&all, pack, sizeof all);
  *static_cast<Words*>(to) = all;
}

inline int thread_anew() { return int(threadIdx.x); }

inline float exp2_approx(float x) { return emulation::ex2(x); }

// The site of an operation is the line that calls it.
#define G4_CALLER ::g4::emulation::Site site = {__builtin_FILE(), __builtin_LINE()}

template <bool kHalf>
void mma_16816(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, G4_CALLER) {
  emulation::mma_16816({d, a, {b0, b1}, kHalf}, site);
}

template <bool kTransposed>
void ldmatrix_x4(uint32_t (&registers)[4], const void* row, G4_CALLER) {
  emulation::ldmatrix_x4({registers, row, kTransposed}, site);
}

template <int kBytes>
void cp_async(void* to, const void* from, bool valid, G4_CALLER) {
  emulation::Block::current().copies().issue(to, from, kBytes, valid ? kBytes : 0, site);
}

inline void cp_async_commit() { emulation::Block::current().copies().commit(); }

template <int kGroupsLeft>
void cp_async_wait(G4_CALLER) {
  emulation::Block::current().copies().wait(kGroupsLeft, site);
}

#undef G4_CALLER

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
