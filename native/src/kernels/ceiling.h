// What this machine can do at most, in the instruction set of these kernels: the figures that kernels are held against.
//
// peak_multiply_add: fused products on independent sums in registers, no memory at all. 12 sums hide the latency of 4 to 5
// cycles at two products a cycle and fit every register file. bf16 counts the products of vdpbf16ps where that exists; where
// not, bf16 is multiplied as fp32 and the ceiling is the same.
// peak_read: every byte read once, with several streams a thread as the weights of a matrix product are.
#pragma once

#include <cstdint>

#include "grpo4j/ops.h"
#include "kernels/launch.h"

namespace g4::G4_ISA {

constexpr int kIndependentSums = 12;
constexpr int64_t kCeilingTasks = 8;  // tasks for each thread, so that a thread that wakes late or is slow takes fewer
constexpr int64_t kReadChunk = int64_t(1) << 20;
constexpr int kReadStreams = 4;

template <class Product>
inline double multiply_add_loop(Stream& stream, int64_t iterations, double per_lane, Product product) {
  const int64_t tasks = stream.threads() * kCeilingTasks;
  float* kept = reinterpret_cast<float*>(stream.shared_scratch());
  stream.parallel_for(tasks, [&](int64_t i, int) {
    // From memory, so that no value is known when this is compiled.
    kept[i] = 1.0f;
    const V a = V::set(*static_cast<volatile float*>(kept + i));
    const V b = a;
    V sums[kIndependentSums];
#pragma GCC unroll 12
    for (int s = 0; s < kIndependentSums; s++) sums[s] = V::set(float(s));  // equal sums would be computed once
    for (int64_t n = 0; n < iterations; n++) {
#pragma GCC unroll 12
      for (int s = 0; s < kIndependentSums; s++) sums[s] = product(sums[s], a, b);
    }
    V all = sums[0];
#pragma GCC unroll 12
    for (int s = 1; s < kIndependentSums; s++) all = all + sums[s];
    kept[i] = reduce_add(all);
  });
  return double(tasks) * double(iterations) * kIndependentSums * V::kLanes * per_lane;
}

inline int peak_multiply_add(g4_stream handle, int64_t iterations, int dtype, double* operations) {
  Stream& stream = stream_of(handle);
#ifdef G4_HAS_DPBF16
  if (dtype == G4_BF16) {
    *operations = multiply_add_loop(stream, iterations, 4.0, [](V sum, V a, V b) { return dot_pairs(sum, a, b); });
    return G4_OK;
  }
#endif
  (void)dtype;
  *operations = multiply_add_loop(stream, iterations, 2.0, [](V sum, V a, V b) { return fma(a, b, sum); });
  return G4_OK;
}

inline int peak_read(g4_stream handle, g4_cptr src, int64_t bytes) {
  Stream& stream = stream_of(handle);
  const float* in = static_cast<const float*>(src);
  float* kept = reinterpret_cast<float*>(stream.shared_scratch());
  constexpr int64_t kChunk = kReadChunk / int64_t(sizeof(float));
  constexpr int64_t kPart = kChunk / kReadStreams;
  stream.parallel_for(bytes / kReadChunk, [&](int64_t i, int thread) {
    V sums[kReadStreams] = {V::zero(), V::zero(), V::zero(), V::zero()};
    const float* chunk = in + i * kChunk;
    for (int64_t n = 0; n < kPart; n += 16) {
#pragma GCC unroll 4
      for (int s = 0; s < kReadStreams; s++) {
        __builtin_prefetch(chunk + s * kPart + n + 512, 0, 3);
        for (int lane = 0; lane < 16; lane += V::kLanes) sums[s] = sums[s] + V::load(chunk + s * kPart + n + lane);
      }
    }
    kept[thread] = reduce_add((sums[0] + sums[1]) + (sums[2] + sums[3]));
  });
  return G4_OK;
}

}  // namespace g4::G4_ISA
