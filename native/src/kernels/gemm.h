// The loops of a matrix product around the register tile, and its division among threads.
//
//   task = some rows x some panels of c
//     for each stretch of the depth (some blocks of 256) whose packed rows of a fit half of the L2 cache:
//       pack the task's rows of a                                  (L2; used once per panel of the task)
//       for each panel or two:                                     (their sums stay in L2 over the blocks)
//         for each block of the stretch, in order:
//           point to b, or pack it                                 (L1 or L2; used once per row tile of the task)
//           for each row tile: multiply, adding to the sums of the blocks before; fetch the next block of b meanwhile
//
// From memory, b comes once per 264 rows, a once per 64 panels, c once per stretch. For few rows (decode) the stretch is
// the whole depth and the weight is read as one stream.
//
// An element is ((block 0 + block 1) + block 2) ..., each block one chain of fused products: how rows, panels and depth are
// cut is free, so it follows the number of threads and the size of the problem without touching a bit of the result.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/launch.h"
#include "kernels/operands.h"
#include "stream.h"

namespace g4::G4_ISA {

constexpr int64_t kTaskTiles = 264 / kTileRows;
constexpr int64_t kTaskPanels = 64;
// Packed words of a in one stretch of the depth: 264 rows x 2 blocks, 560 KiB.
constexpr int64_t kStretchTiles = kTaskTiles * 2;
// About what a core does: two vectors of fused products a cycle, at 2 cycles a nanosecond.
constexpr double kProductsPerNs = 4.0 * V::kLanes;
// Every task waits for its first panels: in small products fewer tasks, two a thread, are 10 % faster.
constexpr double kLeastTaskNs = 15000;
constexpr double kGoodTaskNs = 80000;

struct Cut {
  int64_t row_tasks;    // each some whole row tiles
  int64_t panel_tasks;  // each some whole panels
};

inline Cut cut_product(int64_t rows, int64_t panels, int64_t depth, int threads) {
  const int64_t tiles = (rows + kTileRows - 1) / kTileRows;
  Cut cut{(tiles + kTaskTiles - 1) / kTaskTiles, (panels + kTaskPanels - 1) / kTaskPanels};
  const int64_t work = rows * panels * kPanel * depth;
  if (threads == 1) return cut;
  const double ns = double(work) / kProductsPerNs;
  const int64_t few = std::min(int64_t(2) * threads, int64_t(ns / kLeastTaskNs));
  const int64_t wanted = std::min(int64_t(4) * threads, std::max(few, int64_t(ns / kGoodTaskNs)));
  while (cut.row_tasks * cut.panel_tasks < wanted) {
    const int64_t tiles_each = tiles / cut.row_tasks, panels_each = panels / cut.panel_tasks;
    if (tiles_each > 1 && tiles_each >= 2 * panels_each) cut.row_tasks = std::min(cut.row_tasks * 2, tiles);
    else if (panels_each > 1) cut.panel_tasks = std::min(cut.panel_tasks * 2, panels);
    else if (tiles_each > 1) cut.row_tasks = std::min(cut.row_tasks * 2, tiles);
    else break;
  }
  return cut;
}

// Which part of the task a tile is, as its output needs to know.
struct Tile {
  int64_t row;    // first row in c
  int rows;
  int64_t panel;  // first panel in c
  int panels;
  bool first;     // block of the depth
  bool last;
  float* sums;    // where sums of blocks may wait, kPanel apart per row and sums_panel_stride per panel
  int64_t sums_panel_stride;
  Ahead ahead;
};

// Rows [row0, row0 + rows) in tiles of nearly equal size: 13 rows are 7 + 6, since a tile of 1 would run at a quarter of
// the speed.
struct Tiles {
  int64_t row0, rows, count;
  Tiles(int64_t row0, int64_t rows) : row0(row0), rows(rows), count((rows + kTileRows - 1) / kTileRows) {}
  int64_t begin(int64_t tile) const { return row0 + rows * tile / count; }
  int size(int64_t tile) const { return int(begin(tile + 1) - begin(tile)); }
};

// Where the words of a panel are.
struct PanelWords {
  const float* words;
  int64_t panel_stride;  // to the next panel, in words
};

// The kernels for a pair of operands: indexed by the tile's rows, for one panel and for panels_of_tile(rows).
struct Kernels {
  const TileKernel* one;
  const TileKernel* several;
};

// c [rows, panels * 32] from
//   a.pack(dst, tiles, block, depth)                   packs the rows of all tiles, kTileWords apart
//   b.kernels(tiles), b.steps(tiles, depth)            for the form that both operands have
//   b.panels(buffer, tiles, panel, count, block, depth)  the words of `count` panels; buffer: kMostPanels packed ones
//   b.ahead(tiles, tile, steps, panel, block, depth)   what a tile should fetch for the panel and block that come next
//   out(kernel, a, b, steps, tile)                     runs the kernel with c at its place
template <class A, class B, class Out>
void multiply(Stream& stream, int64_t rows, int64_t panels, int64_t depth, const A& a, const B& b, const Out& out) {
  if (rows == 0) return;
  const Cut cut = cut_product(rows, panels, depth, stream.threads());
  const int64_t all_tiles = (rows + kTileRows - 1) / kTileRows;
  // The rows of a that a thread's scratch holds, packed over the whole depth: its next task often wants the same.
  std::vector<int64_t> packed_rows(size_t(stream.threads()), -1);
  const auto task = [&](int64_t index, int thread) {
    const int64_t row_task = index % cut.row_tasks, panel_task = index / cut.row_tasks;
    const int64_t row0 = all_tiles * row_task / cut.row_tasks * kTileRows;
    const int64_t row1 = std::min(rows, all_tiles * (row_task + 1) / cut.row_tasks * kTileRows);
    const int64_t panel0 = panels * panel_task / cut.panel_tasks;
    const int64_t panel1 = panels * (panel_task + 1) / cut.panel_tasks;
    const Tiles tiles(row0, row1 - row0);

    const Kernels kernels = b.kernels(tiles);
    const int several = panels_of_tile(tiles.count == 1 ? tiles.size(0) : kTileRows);
    const int64_t blocks = (depth + kBlock - 1) / kBlock;
    const int64_t stretch = std::max<int64_t>(1, kStretchTiles / tiles.count);
    float* const packed_a = reinterpret_cast<float*>(stream.scratch(thread));
    float* const packed_b = packed_a + tiles.count * std::min(stretch, blocks) * kTileWords;
    float* const sums = packed_b + kMostPanels * kPackedPanel;
    const int64_t sums_panel_stride = (row1 - row0) * kPanel;

    for (int64_t block0 = 0; block0 < blocks; block0 += stretch) {
      const int64_t block1 = std::min(block0 + stretch, blocks);
      const bool packed = blocks <= stretch && std::exchange(packed_rows[size_t(thread)], row_task) == row_task;
      for (int64_t block = block0; block < block1 && !packed; block++)
        a.pack(packed_a + (block - block0) * tiles.count * kTileWords, tiles, block * kBlock, std::min<int64_t>(kBlock, depth - block * kBlock));
      for (int64_t panel = panel0, taken; panel < panel1; panel += taken) {
        taken = panel + several <= panel1 ? several : 1;
        // Sums live on only where another stretch will add to them.
        float* const panel_sums = blocks > stretch ? sums + (panel - panel0) * sums_panel_stride : sums;
        for (int64_t block = block0; block < block1; block++) {
          const int64_t block_depth = std::min<int64_t>(kBlock, depth - block * kBlock);
          const int64_t steps = b.steps(tiles, block_depth);
          const PanelWords words = b.panels(packed_b, tiles, panel, int(taken), block * kBlock, block_depth);
          const float* const block_a = packed_a + (block - block0) * tiles.count * kTileWords;
          const bool turn = block + 1 == block1;
          const int64_t next_panel = turn ? panel + taken : panel;
          const int64_t next_block = turn ? block0 : block + 1;
          const int64_t next_depth = next_panel < panel1 ? std::min<int64_t>(kBlock, depth - next_block * kBlock) : 0;
          for (int64_t t = 0; t < tiles.count; t++) {
            const int size = tiles.size(t);
            const int64_t row = tiles.begin(t);
            const Tile tile{row, size, panel, int(taken), block == 0, block + 1 == blocks, panel_sums + (row - row0) * kPanel, sums_panel_stride,
                            next_depth > 0 ? b.ahead(tiles, t, steps, next_panel, next_block * kBlock, next_depth) : Ahead{}};
            out(taken > 1 ? kernels.several[size] : kernels.one[size], block_a + t * kTileWords, words, steps, tile);
          }
        }
      }
    }
  };
  const int64_t count = cut.row_tasks * cut.panel_tasks;
  for_tasks(stream, count, double(rows * panels * kPanel * depth) / double(count) / kProductsPerNs, task);
}

}  // namespace g4::G4_ISA
