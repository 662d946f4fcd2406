// Tiles of 16-bit elements in shared memory, and the fragments of tensor cores read from them.
//
// A tile is [rows][kColumns], its rows cut into chunks of 16 bytes. Chunk c of row r lies in place c ^ (r % 8): the eight rows
// that an 8 x 8 matrix of ldmatrix takes then lie in eight different groups of banks, without padding.
#pragma once

#include "vector.cuh"

namespace g4::cuda {

constexpr int kChunk = 8;  // elements of 16 bytes

template <class T>
__device__ __forceinline__ uint32_t pair_of(float low, float high) {
  if constexpr (std::is_same_v<T, f16>) {
    return f16_pair(low, high);
  } else {
    return bf16_pair(low, high);
  }
}

template <class T, int kColumns>
struct Tile {
  T* at;

  __device__ __forceinline__ T* chunk(int row, int c) const { return at + row * kColumns + ((c ^ (row & 7)) * kChunk); }

  // rows <- the rows that address(row) points to, by kThreads threads, all of the block or a warp; zeros where it is null.
  // The copies are open until cp_async_commit and _wait.
  template <int kRows, int kThreads, class Address>
  __device__ __forceinline__ void fetch(Address address) const {
    constexpr int kChunks = kColumns / kChunk;
    constexpr int kRowsAtOnce = kThreads / kChunks;
    static_assert(kRows % kRowsAtOnce == 0, "every thread copies equally often");
    const int first = int(threadIdx.x) % kThreads / kChunks, c = int(threadIdx.x) % kChunks;
#pragma unroll
    for (int r = 0; r < kRows; r += kRowsAtOnce) {
      const T* from = address(r + first);
      T* to = kRowsAtOnce % 8 == 0 ? chunk(first, c) + r * kColumns : chunk(r + first, c);  // the same place in each of its rows
      cp_async<16>(to, from + c * kChunk, from != nullptr);
    }
  }

  // Where this lane's row starts for the loads below, at row 0 and column 0. A column that is a multiple of 16 is then put in
  // with one exclusive or, a row that is a multiple of 8 with an addition: no register holds an address for long.
  __device__ __forceinline__ int offset_a() const {  // also of load_b_columns
    const int lane = int(threadIdx.x) % kWarp, row = lane % 16;
    return row * kColumns + ((lane / 16 ^ (row & 7)) * kChunk);
  }
  __device__ __forceinline__ int offset_b_rows() const {
    const int lane = int(threadIdx.x) % kWarp, row = lane / 16 * 8 + lane % 8;
    return row * kColumns + ((lane / 8 % 2 ^ (row & 7)) * kChunk);
  }

  // Rows [row, row + 16), columns [column, column + 16) as the operand a of mma_16816.
  __device__ __forceinline__ void load_a(uint32_t (&a)[4], int row, int column) const {
    ldmatrix_x4<false>(a, at + (offset_a() ^ column) + row * kColumns);
  }

  // The operands b of two products: b is [k][n], the tile has n as rows (`row` on) and k as columns. (b[0], b[1]) is for
  // n = row ... row + 7, (b[2], b[3]) for the eight after them.
  __device__ __forceinline__ void load_b_rows(uint32_t (&b)[4], int row, int column) const {
    ldmatrix_x4<false>(b, at + (offset_b_rows() ^ column) + row * kColumns);
  }

  // The same where the tile has k as rows and n as columns (`column` on).
  __device__ __forceinline__ void load_b_columns(uint32_t (&b)[4], int row, int column) const {
    ldmatrix_x4<true>(b, at + (offset_a() ^ column) + row * kColumns);
  }
};

template <class T>
__device__ __forceinline__ void multiply(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  mma_16816<std::is_same_v<T, f16>>(d, a, b0, b1);
}

// The sums of two neighbouring products (columns 16 k ... 16 k + 15) as the operand a of the next product: the layouts agree.
template <class T>
__device__ __forceinline__ void to_operand(uint32_t (&a)[4], const float (&left)[4], const float (&right)[4]) {
  a[0] = pair_of<T>(left[0], left[1]);
  a[1] = pair_of<T>(left[2], left[3]);
  a[2] = pair_of<T>(right[0], right[1]);
  a[3] = pair_of<T>(right[2], right[3]);
}

}  // namespace g4::cuda
