// CUDA C++ as the host compiler sees it: the words of the language as nothing, the built-in variables as globals that the
// scheduler sets before a thread goes on, and the operations between threads as meeting points (block.h).
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>

#include "block.h"
#include "device_memory.h"
#include "runtime.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

namespace g4::emulation {

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

// A launch that no GPU takes is an error at once; the kernel itself runs when the stream does.
void launch_blocks(cudaStream_t stream, dim3 grid, dim3 threads, size_t dynamic_bytes, std::function<void()> kernel);

inline void sync_threads(Site site) { Block::current().meet({Meeting::kBlockBarrier, site, 0, 0, 0}); }

inline void sync_warp(Site site, unsigned mask = 0xffffffffu) { Block::current().meet({Meeting::kWarpBarrier, site, mask, 0, 0}); }

inline unsigned ballot(Site site, unsigned mask, int predicate) {
  return unsigned(Block::current().meet({Meeting::kBallot, site, mask, 0, uint64_t(predicate != 0)}));
}

// All 32 lanes wide, the only width that the kernels use.
template <class T>
T shuffle(Meeting meeting, Site site, unsigned mask, T value, int argument) {
  static_assert(sizeof(T) <= sizeof(uint64_t), "a shuffle moves at most 64 bits");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = Block::current().meet({meeting, site, mask, argument, bits});
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

// A condition that keeps a thread inside its data (G4_GUARD). Where a test leaves it out, a thread that should stop goes on, but
// only every other time, so that a loop ends one round late and not never.
bool guarded(bool condition, Site site);

}  // namespace g4::emulation

using g4::emulation::blockDim;
using g4::emulation::blockIdx;
using g4::emulation::gridDim;
using g4::emulation::threadIdx;

#define G4_SITE (::g4::emulation::Site{__FILE__, __LINE__})
#define __syncthreads() ::g4::emulation::sync_threads(G4_SITE)
#define __syncwarp(...) ::g4::emulation::sync_warp(G4_SITE __VA_OPT__(, ) __VA_ARGS__)
#define __ballot_sync(...) ::g4::emulation::ballot(G4_SITE, __VA_ARGS__)
#define __shfl_sync(...) ::g4::emulation::shuffle(::g4::emulation::Meeting::kShuffleIndex, G4_SITE, __VA_ARGS__)
#define __shfl_xor_sync(...) ::g4::emulation::shuffle(::g4::emulation::Meeting::kShuffleXor, G4_SITE, __VA_ARGS__)
#define __shfl_down_sync(...) ::g4::emulation::shuffle(::g4::emulation::Meeting::kShuffleDown, G4_SITE, __VA_ARGS__)

// Relaxed, as in CUDA: they order nothing else. (Of whole numbers only: sums of floating-point numbers have a fixed order.)
template <class T>
T atomicAdd(T* at, T value) {
  return __atomic_fetch_add(at, value, __ATOMIC_RELAXED);
}
inline unsigned atomicOr(unsigned* at, unsigned bits) { return __atomic_fetch_or(at, bits, __ATOMIC_RELAXED); }

inline unsigned __float_as_uint(float value) {
  unsigned bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  __extension__ typedef unsigned __int128 wide;
  return static_cast<unsigned long long>(wide(a) * b >> 64);
}
inline int __ffs(int bits) { return __builtin_ffs(bits); }
