// The loops of a matrix product around the register tile, for one task.
//
//   task = some rows x some panels of c
//     for each stretch of the depth (some blocks of 256) whose packed rows of a fit half of the L2 cache:
//       point to the task's rows of a, or pack them                (L2; used once per panel of the task)
//       for each panel or two:                                     (their sums stay in L2 over the blocks)
//         for each block of the stretch, in order, and each part of it:
//           point to b, or pack it                                 (L1 or L2; used once per row tile of the task)
//           for each row tile: multiply, adding to the sums of the blocks before; fetch the next part of b meanwhile
//
// A part is the whole block where many row tiles pass over it. A few tiles wait for b more than they compute: theirs is half a block,
// which stays in L1 from the first tile to the last, and the chain of products is kept between the halves.
//
// From memory, b comes once per 264 rows, a once per 64 panels, c once per stretch. For few rows (decode) the stretch is
// the whole depth and the weight is read as one stream.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/operands.h"

namespace g4::G4_ISA {

constexpr int64_t kTaskTiles = 264 / kTileRows;
// Packed words of a in one stretch of the depth: 264 rows x 2 blocks, 560 KiB.
constexpr int64_t kStretchTiles = kTaskTiles * 2;
// Row tiles that share half a block of b.
constexpr int64_t kFewTiles = 12;

// Which part of the task a tile is, as its output needs to know.
struct Tile {
  int64_t row;    // first row in c
  int rows;
  int64_t panel;  // first panel in c
  int panels;
  bool first;     // block of the depth
  bool last;
  TileSums chain; // of the block's earlier part; null in its first
  TileSums sums;  // where sums of blocks may wait
  Ahead ahead;
};

// Rows [row0, row0 + rows) in tiles of nearly equal size: 13 rows are 5 + 4 + 4, since a tile of 1 would run at a quarter of
// the speed.
struct Tiles {
  int64_t row0, rows, count;
  Tiles(int64_t row0, int64_t rows) : row0(row0), rows(rows), count((rows + kTileRows - 1) / kTileRows) {}
  int64_t begin(int64_t tile) const { return row0 + rows * tile / count; }
  int size(int64_t tile) const { return int(begin(tile + 1) - begin(tile)); }
};

// The kernels for a pair of operands: indexed by the tile's rows, for one panel and for panels_of_tile(rows).
struct Kernels {
  const TileKernel* one;
  const TileKernel* several;
  int words_of_a;  // for each step
};

// One task. Its operands:
//
//   a.kInPlace                                         whether its words are used as they lie
//   a.words(row, at)                                   if so: those of the rows from `row` on, from depth `at` on
//   a.pack(dst, tiles, at, depth), a.kRowStride        if not: packs the rows of all tiles, kTileWords apart, from depth `at` on
//   a.kAnyDepth                                        whether a row's words lie side by side, so that a tile can start anywhere
//   b.kPacked                                          whether its words are not used as they lie, whatever the tiles
//   b.kernels(tiles), b.steps(tiles, depth)            for the form that both operands have
//   b.panels(buffer, tiles, panel, count, at, depth)   the words of `count` panels; buffer: kMostPanels packed ones
//   b.ahead(tiles, tile, steps, panel, at, depth)      what a tile should fetch for the panel and part that come next
//   out(kernel, a, b, steps, tile)                     runs the kernel with c at its place
template <class A, class B, class Out>
class ProductTask {
 public:
  // scratch: the thread's; the packed rows of a come first.
  ProductTask(const A& a, const B& b, const Out& out, Tiles tiles, int64_t panel0, int64_t panel1, int64_t depth, float* scratch)
      : a_(a), b_(b), out_(out), tiles_(tiles), panel0_(panel0), panel1_(panel1), depth_(depth), kernels_(b.kernels(tiles)),
        several_(panels_of_tile(tiles.count == 1 ? tiles.size(0) : kTileRows)),
        stretch_(std::max<int64_t>(1, kStretchTiles / tiles.count) * kBlock),
        part_(A::kAnyDepth && tiles.count > 1 && tiles.count <= kFewTiles ? kBlock / 2 : kBlock),
        packed_a_(scratch),
        packed_b_(scratch + (A::kInPlace ? 0 : tiles.count * ((std::min(stretch_, depth) + kBlock - 1) / kBlock) * kTileWords)),
        sums_(packed_b_ + kMostPanels * kPackedPanel) {}

  // Whether the rows of a are packed over the whole depth at once, and so serve another task too.
  bool packs_once() const { return depth_ <= stretch_; }

  void run(bool packed) {
    for (int64_t begin = 0; begin < depth_; begin += stretch_) {
      const int64_t end = std::min(begin + stretch_, depth_);
      if constexpr (!A::kInPlace)
        for (int64_t at = begin; at < end && !packed; at += kBlock)
          a_.pack(packed_a_ + (at - begin) / kBlock * tiles_.count * kTileWords, tiles_, at, std::min<int64_t>(kBlock, end - at));
      for (int64_t panel = panel0_, taken; panel < panel1_; panel += taken) {
        taken = panel + several_ <= panel1_ ? several_ : 1;
        run_panels(panel, int(taken), begin, end);
      }
    }
  }

 private:
  static constexpr int64_t kChainPanelStride = kFewTiles * kTileRows * kPanel;

  void run_panels(int64_t panel, int taken, int64_t begin, int64_t end) {
    // Sums live on only where another stretch will add to them.
    float* const sums = packs_once() ? sums_ : sums_ + (panel - panel0_) * tiles_.rows * kPanel;
    const TileKernel* const kernels = taken > 1 ? kernels_.several : kernels_.one;
    for (int64_t at = begin, part; at < end; at += part) {
      part = std::min(part_, end - at);
      const int64_t steps = b_.steps(tiles_, part);
      const PanelWords words = b_.panels(packed_b_, tiles_, panel, taken, at, part);
      const bool turn = at + part == end;
      const int64_t next_panel = turn ? panel + taken : panel, next = turn ? begin : at + part;
      const int64_t next_part = next_panel < panel1_ ? std::min(part_, end - next) : 0;
      const bool chain_begins = at % kBlock == 0, chain_ends = turn || (at + part) % kBlock == 0;
      for (int64_t t = 0; t < tiles_.count; t++) {
        const int size = tiles_.size(t);
        const int64_t row = tiles_.begin(t), sums_row = (row - tiles_.row0) * kPanel;
        const Ahead ahead = next_part > 0 ? b_.ahead(tiles_, t, steps, next_panel, next, next_part) : Ahead{};
        const TileSums chain{chains_ + sums_row, kPanel, kChainPanelStride};
        if (chain_ends) {
          const Tile tile{row, size, panel, taken, at < kBlock, at + part == depth_, chain_begins ? TileSums{} : chain,
                          {sums + sums_row, kPanel, tiles_.rows * kPanel}, ahead};
          out_(kernels[size], rows(t, begin, at), words, steps, tile);
        } else {
          kernels[size](rows(t, begin, at), words, steps, {chain, {}, {}}, ahead);
        }
      }
    }
  }

  // Those of a tile at depth `at` of the stretch that begins at `begin`.
  RowWords rows(int64_t tile, int64_t begin, int64_t at) const {
    if constexpr (A::kInPlace) return a_.words(tiles_.begin(tile), at);
    else return {packed_a_ + ((at - begin) / kBlock * tiles_.count + tile) * kTileWords + b_.steps(tiles_, at % kBlock) * kernels_.words_of_a, A::kRowStride};
  }

  const A& a_;
  const B& b_;
  const Out& out_;
  const Tiles tiles_;
  const int64_t panel0_, panel1_, depth_;
  const Kernels kernels_;
  const int several_;
  const int64_t stretch_;  // of the depth
  const int64_t part_;
  float* const packed_a_;
  float* const packed_b_;
  float* const sums_;
  alignas(64) float chains_[2 * kChainPanelStride];
};

}  // namespace g4::G4_ISA
