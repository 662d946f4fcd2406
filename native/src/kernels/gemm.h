// A matrix product: its division among threads, and which rows and panels each task takes. What a task does is in gemm_task.h.
//
// An element is ((block 0 + block 1) + block 2) ..., each block of 256 of the depth one chain of fused products: how rows, panels and
// depth are cut is free, so it follows the number of threads and the size of the problem without touching a bit of the result.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/gemm_task.h"
#include "kernels/launch.h"
#include "stream.h"

namespace g4::G4_ISA {

constexpr int64_t kTaskPanels = 64;
// About what a core does: two vectors of fused products a cycle, at 2 cycles a nanosecond.
constexpr double kProductsPerNs = 4.0 * V::kLanes;
// A product of fewer rows takes as long as one of so many: the weight comes from memory.
constexpr int64_t kLeastRows = 12;
// Every task waits for its first panels: in small products fewer tasks, two a thread, are 10 % faster.
constexpr double kLeastTaskNs = 15000;
constexpr double kGoodTaskNs = 80000;

struct Cut {
  int64_t row_tasks;    // each some whole row tiles
  int64_t panel_tasks;  // each some whole panels
};

inline double product_ns(int64_t rows, int64_t panels, int64_t depth) {
  return double(std::max(rows, kLeastRows) * panels * kPanel * depth) / kProductsPerNs;
}

// Where b is not used as it lies, every task packs both operands: then fewer tasks, nearly square ones.
inline Cut cut_product(int64_t rows, int64_t panels, int64_t depth, bool packs_b, int threads) {
  const int64_t tiles = (rows + kTileRows - 1) / kTileRows;
  Cut cut{(tiles + kTaskTiles - 1) / kTaskTiles, (panels + kTaskPanels - 1) / kTaskPanels};
  if (threads == 1) return cut;
  const double ns = product_ns(rows, panels, depth);
  const int64_t few = std::min(int64_t(2) * threads, int64_t(ns / kLeastTaskNs));
  const int64_t wanted = std::min(int64_t(packs_b ? 2 : 4) * threads, std::max(few, int64_t(ns / kGoodTaskNs)));
  const int64_t rows_for_a_panel = packs_b ? kPanel : 2 * kTileRows;  // a task with more rows than these is cut by rows
  while (cut.row_tasks * cut.panel_tasks < wanted) {
    const int64_t tiles_each = tiles / cut.row_tasks, panels_each = panels / cut.panel_tasks;
    if (tiles_each > 1 && tiles_each * kTileRows >= rows_for_a_panel * panels_each) cut.row_tasks = std::min(cut.row_tasks * 2, tiles);
    else if (panels_each > 1) cut.panel_tasks = std::min(cut.panel_tasks * 2, panels);
    else if (tiles_each > 1) cut.row_tasks = std::min(cut.row_tasks * 2, tiles);
    else break;
  }
  return cut;
}

// c [rows, panels * 32] from operands a and b, see gemm_task.h.
template <class A, class B, class Out>
void multiply(Stream& stream, int64_t rows, int64_t panels, int64_t depth, const A& a, const B& b, const Out& out) {
  if (rows == 0) return;
  const Cut cut = cut_product(rows, panels, depth, B::kPacked, stream.threads());
  const int64_t all_tiles = (rows + kTileRows - 1) / kTileRows;
  // The rows of a that a thread's scratch holds, packed over the whole depth: its next task often wants the same.
  std::vector<int64_t> packed_rows(size_t(stream.threads()), -1);
  const int64_t count = cut.row_tasks * cut.panel_tasks;
  for_tasks(stream, count, product_ns(rows, panels, depth) / double(count), [&](int64_t index, int thread) {
    const int64_t row_task = index % cut.row_tasks, panel_task = index / cut.row_tasks;
    const int64_t row0 = all_tiles * row_task / cut.row_tasks * kTileRows;
    const int64_t row1 = std::min(rows, all_tiles * (row_task + 1) / cut.row_tasks * kTileRows);
    const int64_t panel0 = panels * panel_task / cut.panel_tasks;
    const int64_t panel1 = panels * (panel_task + 1) / cut.panel_tasks;
    ProductTask<A, B, Out> task(a, b, out, Tiles(row0, row1 - row0), panel0, panel1, depth, reinterpret_cast<float*>(stream.scratch(thread)));
    task.run(task.packs_once() && std::exchange(packed_rows[size_t(thread)], row_task) == row_task);
  });
}

}  // namespace g4::G4_ISA
