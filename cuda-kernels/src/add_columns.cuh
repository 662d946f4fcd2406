// The second half of a column sum without atomics: partial rows are added to the result in a fixed order.
#pragma once

#include "device.cuh"

namespace g4::cuda {

namespace {

constexpr int kColumnGroups = 32;

// sums += column sums of partials [chunks, width]. A block has 32 columns and 32 groups of chunks: group g adds chunks g, g + 32,
// ..., then the first group adds the groups in order.
__global__ void __launch_bounds__(kWarp * kColumnGroups) add_columns_kernel(float* sums, const float* partials, int64_t chunks, int width) {
  G4_SHARED(float, group_sums, kColumnGroups * kWarp);
  const int column = int(blockIdx.x) * kWarp + int(threadIdx.x);
  const bool has_column = G4_GUARD(column < width);
  float sum = 0.0f;
  if (has_column)
    for (int64_t chunk = threadIdx.y; chunk < chunks; chunk += kColumnGroups) sum += partials[chunk * width + column];
  group_sums[threadIdx.y * kWarp + threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || !has_column) return;
  sum = sums[column];
  for (int group = 0; group < kColumnGroups; group++) sum += group_sums[group * kWarp + threadIdx.x];
  sums[column] = sum;
}

inline void add_columns(g4_stream stream, float* sums, const float* partials, int64_t chunks, int64_t width) {
  launch(add_columns_kernel, dim3(unsigned(ceil_div(width, kWarp))), dim3(kWarp, kColumnGroups), 0, stream, sums, partials, chunks, int(width));
}

}  // namespace

}  // namespace g4::cuda
