// The register tile that all matrix products run on.
//
//   c[r][n] = init[r][n] + sum over k of a[r][k] * b[k][n]        r < R rows, n < 32 columns of each of P panels
//
// One accumulator lane per output element walks k from first to last with fused products, so the bits of an element depend
// on its own row of a, its own column of b and k alone: not on R, P, the instruction set's width or who computes the rest.
//
// Operands are sequences of 32-bit words. b has 32 words a step, one per column: a float, or a pair of bf16 of which the
// odd element is multiplied first and then the even one (the order of vdpbf16ps). a has a word a step for each row: rows that lie
// some stride apart, or all rows of a step side by side (operands.h).
//
// Tile size: AVX-512 has 32 registers: 6 rows x 2 panels of 2 vectors of sums, 4 of b, the rest for broadcasts; a step is 24
// products and 10 loads. (12 rows x 1 panel has as many sums but 14 loads, and runs at 83 % of the multipliers' speed where
// this runs at 98 %: 64-byte loads come at hardly more than one a cycle.) AVX2 has 16: 6 x 2, on half a panel at a time.
// A tile of few rows has too few independent sums to fill the multipliers (latency 4, two a cycle: 8 are needed), so tiles
// of 1 and 2 rows take more panels at once.
#pragma once

#include <cstdint>

#include "simd/bf16.h"

namespace g4::G4_ISA {

constexpr int kPanel = 32;  // columns (rows of the weight) in one packed panel
constexpr int kTileRows = 6;
constexpr int kTileColumns = 2 * V::kLanes;

// Where the words of a tile's rows of a are, and those of its panels of b; strides in words.
struct RowWords {
  const float* words;
  int64_t row_stride;
};
struct PanelWords {
  const float* words;
  int64_t panel_stride;
};

// A tile's values in memory: row after row, and the distance between panels.
template <class F>
struct TileAt {
  F* address = nullptr;
  int64_t row_stride = 0;
  int64_t panel_stride = 0;

  F* at(int row, int panel) const { return address + row * row_stride + panel * panel_stride; }
  operator TileAt<const F>() const { return {address, row_stride, panel_stride}; }
};
using TileSums = TileAt<float>;
using TileStart = TileAt<const float>;

// Where a tile goes, what its sums are added to (null: nothing), and where the chain of fused products goes on from (null: zero).
struct TileOut {
  TileSums c;
  TileStart init;
  TileSums chain;
};

// What the tile fetches into the L2 cache while it computes, since the next block of b is otherwise waited for: `lines`
// cache lines of each panel every 4 steps, from `address` on.
struct Ahead {
  const char* address = nullptr;
  int64_t stride = 0;  // bytes between lines
  int64_t lines = 0;
  int64_t panel_stride = 0;
};

// How a word of b meets the words of a.
struct FloatStep {  // both floats
  static constexpr int kWordsOfA = 1;
  static V operand(V b, int) { return b; }
  static V multiply(V acc, V a, V b) { return fma(a, b, acc); }
};
struct SplitPairStep {  // b a bf16 pair, a two floats in the order of multiplication (odd, even)
  static constexpr int kWordsOfA = 2;
  static V operand(V b, int word) { return word == 0 ? odd_of_pairs(b) : even_of_pairs(b); }
  static V multiply(V acc, V a, V b) { return fma(a, b, acc); }
};
#ifdef G4_HAS_DPBF16
struct DotPairStep {  // both bf16 pairs
  static constexpr int kWordsOfA = 1;
  static V operand(V b, int) { return b; }
  static V multiply(V acc, V a, V b) { return dot_pairs(acc, a, b); }
};
#endif

constexpr int kMostPanels = 4;

// Panels that a tile of some rows takes at once.
constexpr int panels_of_tile(int rows) {
  return V::kLanes < 16 ? 1 : rows <= 2 ? kMostPanels : 2;
}

// How the words of a lie: each row's in the order of the steps, or each step's in the order of the rows, kTileRows apart.
enum class Words { kOfARow, kOfAStep };

template <class Step, int R, int P, Words kWords>
void multiply_tile(RowWords a, PanelWords b, int64_t steps, const TileOut& out, const Ahead& ahead) {
  constexpr int64_t kStep = kWords == Words::kOfARow ? 1 : kTileRows;
  const int64_t row_stride = kWords == Words::kOfARow ? a.row_stride : 1;
  const char* next = ahead.address;
  for (int column = 0; column < kPanel; column += kTileColumns) {
    // Where a panel is done in two halves, the first one fetches.
    const int64_t lines = column == 0 ? ahead.lines : 0;
    V acc[R][P][2];
#pragma GCC unroll 6
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
      for (int p = 0; p < P; p++) {
#pragma GCC unroll 2
        for (int h = 0; h < 2; h++)
          acc[r][p][h] = out.chain.address == nullptr ? V::zero() : V::load(out.chain.at(r, p) + column + h * V::kLanes);
        for (int line = 0; line < kTileColumns; line += 16) __builtin_prefetch(out.c.at(r, p) + column + line, 1);
      }

    const float* bs = b.words + column;
    const float* as = a.words;
    const auto step = [&]() __attribute__((always_inline)) {
#pragma GCC unroll 2
      for (int word = 0; word < Step::kWordsOfA; word++) {
        V w[P][2];
#pragma GCC unroll 4
        for (int p = 0; p < P; p++) {
          w[p][0] = Step::operand(V::load(bs + p * b.panel_stride), word);
          w[p][1] = Step::operand(V::load(bs + p * b.panel_stride + V::kLanes), word);
        }
#pragma GCC unroll 6
        for (int r = 0; r < R; r++) {
          const V x = V::set(as[r * row_stride + word * kStep]);
#pragma GCC unroll 4
          for (int p = 0; p < P; p++) {
            acc[r][p][0] = Step::multiply(acc[r][p][0], x, w[p][0]);
            acc[r][p][1] = Step::multiply(acc[r][p][1], x, w[p][1]);
          }
        }
      }
      bs += kPanel;
      as += Step::kWordsOfA * kStep;
    };
    int64_t s = 0;
    for (; s + 4 <= steps; s += 4) {
      for (int64_t line = 0; line < lines; line++) {
#pragma GCC unroll 4
        for (int p = 0; p < P; p++) __builtin_prefetch(next + p * ahead.panel_stride, 0, 2);
        next += ahead.stride;
      }
      step();
      step();
      step();
      step();
    }
    for (; s < steps; s++) step();

#pragma GCC unroll 6
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
      for (int p = 0; p < P; p++)
#pragma GCC unroll 2
        for (int h = 0; h < 2; h++) {
          const int64_t lane = column + h * V::kLanes;
          V sum = acc[r][p][h];
          if (out.init.address != nullptr) sum = V::load(out.init.at(r, p) + lane) + sum;
          sum.store(out.c.at(r, p) + lane);
        }
  }
}

using TileKernel = void (*)(RowWords a, PanelWords b, int64_t steps, const TileOut& out, const Ahead& ahead);

// The kernels for 1 .. kTileRows rows: one panel at a time, and panels_of_tile(rows) at a time.
template <class Step, Words kWords>
struct TileKernels {
  TileKernel one[kTileRows + 1];
  TileKernel several[kTileRows + 1];

  constexpr TileKernels() : one{}, several{} { fill<kTileRows>(); }

  template <int R>
  constexpr void fill() {
    one[R] = multiply_tile<Step, R, 1, kWords>;
    several[R] = multiply_tile<Step, R, panels_of_tile(R), kWords>;
    if constexpr (R > 1) fill<R - 1>();
  }
};

}  // namespace g4::G4_ISA
