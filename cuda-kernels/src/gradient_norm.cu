// The sum of squares of a gradient and its non-finite elements, in one pass.
//
// grad f32 [count]; out f64 [2] += (sum of x^2, number of x that are infinite or NaN). Bytes per element: 4. Looking for
// non-finite elements costs an integer comparison of what is in a register anyway.
//
// Squares of fp32 numbers leave fp32's range, and this back end uses no fp64 arithmetic (a slip into it is an error of its
// build). So a thread sums squares relative to the largest exponent it has seen, as LAPACK's slassq does:
//
//   sum of squares = s 4^(e - 128),  e the largest biased exponent, s the sum of (x 2^(128 - e))^2, each at most 16
//
// Neither overflow nor underflow hides a gradient. Two stages in fixed order: at most kParts blocks take every kParts-th tile of
// 4,096 elements; one block adds their parts and puts the result into the double by integer arithmetic. A thread adds at most
// count / 197,000 squares to its four sums, so the sum of 500 million elements is good to about 1e-7.
//
// All 768 blocks of 256 threads are resident at once on an H200 (6 an SM at 40 registers), each thread with 64 bytes under way:
// 96 KB an SM.
#include "reduce.cuh"
#include "vector.cuh"

namespace g4::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;
constexpr int kVectors = 4;  // of a thread in a tile
constexpr int kTile = kThreads * kVectors * 4;
constexpr int kParts = 768;

struct Part {
  float sum;     // times 4^(exponent - 128)
  int exponent;  // biased, 1 to 254
  int bad;       // elements that are not finite
};

__device__ __forceinline__ int exponent_of(float x) { return int(__float_as_uint(x) >> 23 & 255u); }

// 2^power, 0 below fp32's normal range; power is at most 127.
__device__ __forceinline__ float power_of_two(int power) { return power < -126 ? 0.0f : __uint_as_float(uint32_t(power + 127) << 23); }

__device__ __forceinline__ float rescaled(float sum, int from, int to) { return sum * power_of_two(2 * (from - to)); }

__device__ __forceinline__ int warp_max(int value) {
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    const int other = __shfl_xor_sync(kAllLanes, value, offset);
    value = other > value ? other : value;
  }
  return value;
}

// The block's parts as one, for every thread. `bad` counts as float, exact up to 16 million.
__device__ __forceinline__ Part block_part(float sum, int exponent, int bad, int* exponents, float* sums) {
  const int highest = warp_max(exponent);
  if (threadIdx.x % kWarp == 0) exponents[threadIdx.x / kWarp] = highest;
  __syncthreads();
  int top = exponents[0];
  for (int w = 1; w < kWarps; w++) top = exponents[w] > top ? exponents[w] : top;
  float values[2] = {rescaled(sum, exponent, top), float(bad)};
  block_sums<kWarps>(values, sums);
  return {values[0], top, int(values[1])};
}

__global__ void __launch_bounds__(kThreads) sum_squares_kernel(Part* parts, const float* grad, int64_t count) {
  G4_SHARED(int, exponents, kWarps);
  G4_SHARED(float, sums, 2 * kWarps);
  Floats<kVectors> s{};
  int exponent = 1, bad = 0;
  for (int64_t tile = int64_t(blockIdx.x) * kTile; tile < count; tile += int64_t(gridDim.x) * kTile) {
    Floats<4> x[kVectors];
    int top = exponent;
#pragma unroll
    for (int u = 0; u < kVectors; u++) {
      const int64_t at = tile + (u * kThreads + int64_t(threadIdx.x)) * 4;
      if (at + 4 <= count) {
        x[u] = load<4>(grad + at);
      } else {
#pragma unroll
        for (int k = 0; k < 4; k++) x[u].e[k] = G4_GUARD(at + k < count) ? grad[at + k] : 0.0f;
      }
#pragma unroll
      for (int k = 0; k < 4; k++) {
        const int e = exponent_of(x[u].e[k]);
        if (e == 255) {
          bad++;
          x[u].e[k] = 0.0f;
        } else {
          top = e > top ? e : top;
        }
      }
    }
#pragma unroll
    for (int u = 0; u < kVectors; u++) s.e[u] = rescaled(s.e[u], exponent, top);
    exponent = top;
    const float scale = power_of_two(128 - exponent);
#pragma unroll
    for (int u = 0; u < kVectors; u++)
#pragma unroll
      for (int k = 0; k < 4; k++) {
        const float y = x[u].e[k] * scale;
        s.e[u] = fmaf(y, y, s.e[u]);
      }
  }
  const Part part = block_part((s.e[0] + s.e[1]) + (s.e[2] + s.e[3]), exponent, bad, exponents, sums);
  if (threadIdx.x == 0) parts[blockIdx.x] = part;
}

// The bits of the double a + s 2^power, a and s at least 0: both are brought to the larger exponent as whole numbers.
__device__ uint64_t plus(uint64_t a, float s, int power) {
  constexpr uint64_t kHidden = uint64_t(1) << 52;
  if (s == 0.0f || a >> 52 == 2047) return a;
  uint64_t b_digits = (uint64_t(__float_as_uint(s) & 0x7fffffu) << 29) | kHidden;
  int b_exponent = exponent_of(s) - 127 + power + 1023;
  if (a == 0) return uint64_t(b_exponent) << 52 | (b_digits & (kHidden - 1));
  uint64_t a_digits = (a & (kHidden - 1)) | kHidden;
  int a_exponent = int(a >> 52);
  const int gap = a_exponent - b_exponent;
  if (gap > 0) b_digits = gap < 64 ? b_digits >> gap : 0;
  if (gap < 0) a_digits = gap > -64 ? a_digits >> -gap : 0;
  uint64_t digits = a_digits + b_digits;
  int exponent = gap > 0 ? a_exponent : b_exponent;
  if (digits >> 53 != 0) digits >>= 1, exponent++;
  return uint64_t(exponent) << 52 | (digits & (kHidden - 1));
}

__global__ void __launch_bounds__(kThreads) add_parts_kernel(uint64_t* out_f64, const Part* parts, int count) {
  G4_SHARED(int, exponents, kWarps);
  G4_SHARED(float, sums, 2 * kWarps);
  float sum = 0.0f;
  int exponent = 1, bad = 0;
  for (int i = int(threadIdx.x); G4_GUARD(i < count); i += kThreads) {
    const Part part = parts[i];
    const int top = part.exponent > exponent ? part.exponent : exponent;
    sum = rescaled(sum, exponent, top) + rescaled(part.sum, part.exponent, top);
    exponent = top;
    bad += part.bad;
  }
  const Part all = block_part(sum, exponent, bad, exponents, sums);
  if (threadIdx.x != 0) return;
  constexpr uint64_t kInfinity = uint64_t(2047) << 52;
  out_f64[0] = all.bad > 0 ? kInfinity : plus(out_f64[0], all.sum, 2 * (all.exponent - 128));
  out_f64[1] = plus(out_f64[1], float(all.bad), 0);
}

int64_t parts_of(int64_t count) {
  const int64_t tiles = ceil_div(count, kTile);
  return tiles < kParts ? tiles : kParts;
}

}  // namespace

}  // namespace g4::cuda

using namespace g4::cuda;

int64_t g4_sum_squares_workspace(int64_t count) { return parts_of(count) * int64_t(sizeof(Part)); }

int g4_sum_squares(g4_stream stream, g4_ptr out_f64, g4_cptr grad, g4_ptr workspace, int64_t count) {
  if (count == 0) return G4_OK;
  const int64_t parts = parts_of(count);
  launch(sum_squares_kernel, dim3(unsigned(parts)), dim3(kThreads), 0, stream, static_cast<Part*>(workspace), static_cast<const float*>(grad), count);
  launch(add_parts_kernel, dim3(1), dim3(kThreads), 0, stream, static_cast<uint64_t*>(out_f64), static_cast<const Part*>(workspace), int(parts));
  return status();
}
