// How elementwise work on rows is dealt out: a warp takes 32 neighbouring vectors of one row (512 bytes), a block 8 rows.
// Widths that are no multiple of 512 bytes leave some lanes of the last warp idle, never a whole block, and no thread divides.
#pragma once

#include "device.cuh"

namespace g4::cuda {

constexpr int kTileRows = 8;
constexpr int kTileThreads = kWarp * kTileRows;

// `vectors`: the vectors that one row has. Rows beyond the grid's limit are taken in strides.
inline dim3 row_tile_grid(int64_t rows, int64_t vectors) {
  const int64_t y = ceil_div(rows, kTileRows);
  return dim3(unsigned(ceil_div(vectors, kWarp)), unsigned(y < int64_t(kMaxGridY) ? y : int64_t(kMaxGridY)));
}

inline dim3 row_tile_block() { return dim3(kWarp, kTileRows); }

// Calls body(row, vector) for this thread's share.
template <class Body>
__device__ __forceinline__ void for_row_tile(int64_t rows, int vectors, Body body) {
  const int vector = int(blockIdx.x * kWarp + threadIdx.x);
  if (!G4_GUARD(vector < vectors)) return;
  for (int64_t row = int64_t(blockIdx.y) * kTileRows + threadIdx.y; G4_GUARD(row < rows); row += int64_t(gridDim.y) * kTileRows) body(row, vector);
}

}  // namespace g4::cuda
