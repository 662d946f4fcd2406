// The three products of a linear layer on the packed weight w [n, k].
//
//   forward          y  [m, n] = x w^T (+ bias)     depth k: b is the weight as it lies, no packing; a is x
//   backward input   dx [m, k] = dy w               depth n: b is w transposed, 32 x 32 at a time, one panel block ahead
//   backward weight  dw^T [k, n] += x^T dy          depth m: a is x and b is dy, both in columns form, so the tile's
//                                                   result, 32 neighbours n for each k, is the packed layout itself
//
// Bytes moved: see gemm_task.h; for few rows (decode) the weight's, once, and nothing else that counts.
#pragma once

#include <cstdint>

#include "grpo4j/ops.h"
#include "kernels/gemm.h"

namespace g4::G4_ISA {

// Row-major output of type T: y = bias + blocks, or y += that.
template <class T, class B>
struct RowMajorOut {
  T* y;
  int64_t columns;
  const B* bias;  // null, or `columns` elements
  bool accumulate;

  void operator()(TileKernel kernel, RowWords a, PanelWords b, int64_t steps, const Tile& tile) const {
    const int64_t column = tile.panel * kPanel;
    const bool whole = column + tile.panels * kPanel <= columns;
    float edge_bias[kMostPanels * kPanel];
    const float* start = nullptr;
    if (tile.first && bias != nullptr) {
      if constexpr (sizeof(B) == 4) start = bias + column;
      if (sizeof(B) != 4 || !whole) {
        for (int64_t i = 0; i < tile.panels * kPanel; i++) edge_bias[i] = column + i < columns ? to_float(bias[column + i]) : 0.0f;
        start = edge_bias;
      }
    }
    const bool only = tile.first && tile.last;
    if constexpr (sizeof(T) == 4) {
      // Sums may stand in y itself where that adds in the same order.
      if (whole && (!accumulate || (only && bias == nullptr))) {
        const TileSums c{y + tile.row * columns + column, columns, kPanel};
        const TileStart init = accumulate || !tile.first ? TileStart(c) : TileStart{start, 0, kPanel};
        kernel(a, b, steps, {c, init, tile.chain}, tile.ahead);
        return;
      }
    }
    const TileSums& sums = tile.sums;
    const TileStart init = tile.first ? TileStart{start, 0, kPanel} : TileStart(sums);
    kernel(a, b, steps, {sums, init, tile.chain}, tile.ahead);
    if (!tile.last) return;
    for (int p = 0; p < tile.panels; p++) {
      const int64_t at = column + p * kPanel;
      for (int r = 0; r < tile.rows; r++)
        write_row(y + (tile.row + r) * columns + at, sums.at(r, p), std::min<int64_t>(kPanel, columns - at));
    }
  }

  void write_row(T* out, const float* sums, int64_t width) const {
    for (int64_t i = 0; i < width; i += V::kLanes) {
      const int n = int(std::min<int64_t>(V::kLanes, width - i));
      V v = V::load(sums + i);
      if (n == V::kLanes) {
        if (accumulate) v = V::load(out + i) + v;
        v.store(out + i);
      } else {
        if (accumulate) v = V::load(out + i, n) + v;
        v.store(out + i, n);
      }
    }
  }
};

// The packed fp32 layout, added to.
struct PackedSumOut {
  float* dw;
  int64_t k2;

  void operator()(TileKernel kernel, RowWords a, PanelWords b, int64_t steps, const Tile& tile) const {
    const TileSums c{dw + tile.panel * kPanel * k2 + tile.row * kPanel, kPanel, kPanel * k2};
    kernel(a, b, steps, {c, c, tile.chain}, tile.ahead);
  }
};

// Operand a in rows form: rows of a row-major matrix with `columns` columns.
template <class Path, class S>
struct RowsOfA {
  static constexpr bool kInPlace = false;
  static constexpr bool kAnyDepth = true;
  static constexpr int64_t kRowStride = kRowWords<Path>;
  const S* source;
  int64_t columns;

  void pack(float* dst, const Tiles& tiles, int64_t block, int64_t depth) const {
    for (int64_t t = 0; t < tiles.count; t++)
      for (int r = 0; r < tiles.size(t); r++)
        pack_row<Path>(dst + t * kTileWords + r * kRowWords<Path>, source + (tiles.begin(t) + r) * columns + block, depth);
  }
};

// Rows of floats are words as they lie.
template <>
struct RowsOfA<F32Path, float> {
  static constexpr bool kInPlace = true;
  static constexpr bool kAnyDepth = true;
  const float* source;
  int64_t columns;

  RowWords words(int64_t row, int64_t depth) const { return {source + row * columns + depth, columns}; }
};

// Operand a in columns form: columns of a row-major matrix with `columns` columns, depth being its rows.
template <class Path, class S>
struct ColumnsOfA {
  static constexpr bool kInPlace = false;
  static constexpr bool kAnyDepth = false;
  static constexpr int64_t kRowStride = 1;
  const S* source;
  int64_t columns;

  void pack(float* dst, const Tiles& tiles, int64_t block, int64_t depth) const {
    // 16 source rows at a time: neighbouring tiles share their cache lines.
    for (int64_t d = 0; d < depth; d += 16)
      for (int64_t t = 0; t < tiles.count; t++)
        pack_columns<Path, kTileRows>(dst + t * kTileWords + words_of<Path>(d) * kTileRows,
                                      source + (block + d) * columns + tiles.begin(t), columns, std::min<int64_t>(16, depth - d),
                                      tiles.size(t));
  }
};

// Shares `total` pieces of the next block of b out among the row tiles, as evenly as 4-step groups allow: the tile's first
// piece and pieces per group.
struct Share {
  int64_t first, per_group;
  Share(const Tiles& tiles, int64_t tile, int64_t steps, int64_t total) {
    const int64_t groups = std::max<int64_t>(1, steps / 4);
    per_group = (total + tiles.count * groups - 1) / (tiles.count * groups);
    first = tile * per_group * groups;
    if (first >= total) per_group = 0;
  }
};

// Operand b as it is stored. bf16 without its instruction: a few row tiles take the pairs apart as they go; where many
// pass over a panel, it is widened once.
template <class Path>
struct StoredWeight {
  static constexpr bool kPacked = false;
  const typename Path::T* w;
  int64_t k2;

  static bool split(const Tiles& tiles) { return Path::kSwap && tiles.count <= 3; }
  Kernels kernels(const Tiles& tiles) const {
    if (split(tiles)) return {kSplitKernels.one, kSplitKernels.several, SplitPairStep::kWordsOfA};
    return {kRowsKernels<Path>.one, kRowsKernels<Path>.several, 1};
  }
  int64_t steps(const Tiles& tiles, int64_t depth) const { return split(tiles) ? (depth + 1) / 2 : words_of<Path>(depth); }
  PanelWords panels(float* buffer, const Tiles& tiles, int64_t panel, int count, int64_t block, int64_t depth) const {
    const float* words = panel_words(w, k2, panel, block);
    if (Path::kSwap && !split(tiles)) {
      for (int p = 0; p < count; p++) expand_panel(buffer + p * kPackedPanel, words + p * panel_stride(), (depth + 1) / 2);
      return {buffer, kPackedPanel};
    }
    return {words, panel_stride()};
  }
  int64_t panel_stride() const { return sizeof(typename Path::T) == 2 ? kPanel * k2 / 2 : kPanel * k2; }
  Ahead ahead(const Tiles& tiles, int64_t tile, int64_t steps, int64_t panel, int64_t block, int64_t depth) const {
    const Share share(tiles, tile, steps, depth * kPanel * int64_t(sizeof(typename Path::T)) / 64);
    return {reinterpret_cast<const char*>(panel_words(w, k2, panel, block)) + share.first * 64, 64, share.per_group,
            panel_stride() * int64_t(sizeof(float))};
  }
};

template <class Path>
struct TransposedWeight {
  static constexpr bool kPacked = true;
  const typename Path::T* w;
  int64_t k2;

  Kernels kernels(const Tiles&) const { return {kRowsKernels<Path>.one, kRowsKernels<Path>.several, 1}; }
  int64_t steps(const Tiles&, int64_t depth) const { return words_of<Path>(depth); }
  PanelWords panels(float* buffer, const Tiles&, int64_t panel, int count, int64_t block, int64_t depth) const {
    for (int p = 0; p < count; p++) pack_transposed<Path>(buffer + p * kPackedPanel, w, k2, (panel + p) * kPanel, block, depth);
    return {buffer, kPackedPanel};
  }
  // A block is 8 squares of 32 x 32, each contiguous: the first tiles fetch one each.
  Ahead ahead(const Tiles&, int64_t tile, int64_t steps, int64_t panel, int64_t block, int64_t depth) const {
    if (tile * kPanel >= depth) return {};
    const int64_t rows = std::min<int64_t>(kPanel, k2 - panel * kPanel);
    const int64_t lines = rows * kPanel * int64_t(sizeof(typename Path::T)) / 64, groups = std::max<int64_t>(1, steps / 4);
    return {reinterpret_cast<const char*>(panel_words(w, k2, block / kPanel + tile, panel * kPanel)), 64, (lines + groups - 1) / groups,
            kPanel * kPanel * int64_t(sizeof(typename Path::T))};
  }
};

// Operand b in columns form, from a row-major matrix of `columns` columns, depth being its rows.
template <class Path, class S>
struct ColumnsOfB {
  static constexpr bool kPacked = true;
  const S* source;
  int64_t columns;

  Kernels kernels(const Tiles&) const { return {kColumnsKernels<Path>.one, kColumnsKernels<Path>.several, 1}; }
  int64_t steps(const Tiles&, int64_t depth) const { return words_of<Path>(depth); }
  PanelWords panels(float* buffer, const Tiles&, int64_t panel, int count, int64_t block, int64_t depth) const {
    for (int p = 0; p < count; p++) {
      const int64_t column = (panel + p) * kPanel;
      pack_columns<Path, kPanel>(buffer + p * kPackedPanel, source + block * columns + column, columns, depth, std::min<int64_t>(kPanel, columns - column));
    }
    return {buffer, kPackedPanel};
  }
  // One line a row: of two neighbouring lines the second comes along by itself.
  Ahead ahead(const Tiles& tiles, int64_t tile, int64_t steps, int64_t panel, int64_t block, int64_t depth) const {
    const Share share(tiles, tile, steps, depth);
    return {reinterpret_cast<const char*>(source + (block + share.first) * columns + panel * kPanel), columns * int64_t(sizeof(S)), share.per_group,
            kPanel * int64_t(sizeof(S))};
  }
};

// dbias[n] += column sums of dy, in blocks of the depth like the products.
template <class Path, class S>
void add_column_sums(Stream& stream, float* dbias, const S* dy, int64_t m, int64_t n) {
  constexpr int64_t kColumns = 256;
  const auto task = [&](int64_t index, int) {
    const int64_t end = std::min(n, (index + 1) * kColumns);
    for (int64_t column = index * kColumns; column < end; column += V::kLanes) {
      const int width = int(std::min<int64_t>(V::kLanes, end - column));
      V total = width == V::kLanes ? V::load(dbias + column) : V::load(dbias + column, width);
      for (int64_t block = 0; block < m; block += kBlock) {
        V sum = V::zero();
        for (int64_t row = block; row < std::min(m, block + kBlock); row++) sum = sum + load_for<Path>(dy + row * n + column, width);
        total = total + sum;
      }
      store_first(total, dbias + column, width);
    }
  };
  for_tasks(stream, (n + kColumns - 1) / kColumns, double(m * std::min(n, kColumns)) / V::kLanes, task);
}

inline int64_t even(int64_t k) { return (k + 1) / 2 * 2; }
inline int64_t panels_of(int64_t columns) { return (columns + kPanel - 1) / kPanel; }

template <class Path, class Y>
void forward(Stream& stream, g4_ptr y, g4_cptr x, g4_cptr w, g4_cptr bias, int64_t m, int64_t n, int64_t k, bool accumulate) {
  using T = typename Path::T;
  multiply(stream, m, panels_of(n), k, RowsOfA<Path, T>{static_cast<const T*>(x), k}, StoredWeight<Path>{static_cast<const T*>(w), even(k)},
           RowMajorOut<Y, T>{static_cast<Y*>(y), n, static_cast<const T*>(bias), accumulate});
}

template <class Path, class S>
void backward_input(Stream& stream, g4_ptr dx, g4_cptr dy, g4_cptr w, int64_t m, int64_t n, int64_t k, bool accumulate) {
  using T = typename Path::T;
  multiply(stream, m, panels_of(k), n, RowsOfA<Path, S>{static_cast<const S*>(dy), n}, TransposedWeight<Path>{static_cast<const T*>(w), even(k)},
           RowMajorOut<T, T>{static_cast<T*>(dx), k, nullptr, accumulate});
}

template <class Path, class S>
void backward_weight(Stream& stream, g4_ptr dw, g4_ptr dbias, g4_cptr dy, g4_cptr x, int64_t m, int64_t n, int64_t k) {
  using T = typename Path::T;
  multiply(stream, k, panels_of(n), m, ColumnsOfA<Path, T>{static_cast<const T*>(x), k}, ColumnsOfB<Path, S>{static_cast<const S*>(dy), n},
           PackedSumOut{static_cast<float*>(dw), even(k)});
  if (dbias != nullptr) add_column_sums<Path>(stream, static_cast<float*>(dbias), static_cast<const S*>(dy), m, n);
}

inline int linear(g4_stream stream, g4_ptr y, int y_dtype, g4_cptr x, g4_cptr w, g4_cptr bias, int64_t m, int64_t n, int64_t k,
                  int accumulate, int dtype) {
  Stream& s = stream_of(stream);
  if (dtype == G4_F32 && y_dtype == G4_F32) forward<F32Path, float>(s, y, x, w, bias, m, n, k, accumulate != 0);
  else if (dtype == G4_BF16 && y_dtype == G4_BF16) forward<Bf16Path, bf16>(s, y, x, w, bias, m, n, k, accumulate != 0);
  else if (dtype == G4_BF16 && y_dtype == G4_F32) forward<Bf16Path, float>(s, y, x, w, bias, m, n, k, accumulate != 0);
  else return G4_UNSUPPORTED;
  return G4_OK;
}

inline int linear_backward_input(g4_stream stream, g4_ptr dx, g4_cptr dy, int dy_dtype, g4_cptr w, int64_t m, int64_t n, int64_t k,
                                 int accumulate, int dtype) {
  Stream& s = stream_of(stream);
  if (dtype == G4_F32 && dy_dtype == G4_F32) backward_input<F32Path, float>(s, dx, dy, w, m, n, k, accumulate != 0);
  else if (dtype == G4_BF16 && dy_dtype == G4_BF16) backward_input<Bf16Path, bf16>(s, dx, dy, w, m, n, k, accumulate != 0);
  else if (dtype == G4_BF16 && dy_dtype == G4_F32) backward_input<Bf16Path, float>(s, dx, dy, w, m, n, k, accumulate != 0);
  else return G4_UNSUPPORTED;
  return G4_OK;
}

inline int linear_backward_weight(g4_stream stream, g4_ptr dw, g4_ptr dbias, g4_cptr dy, int dy_dtype, g4_cptr x, int64_t m, int64_t n,
                                  int64_t k, int dtype) {
  Stream& s = stream_of(stream);
  if (dtype == G4_F32 && dy_dtype == G4_F32) backward_weight<F32Path, float>(s, dw, dbias, dy, x, m, n, k);
  else if (dtype == G4_BF16 && dy_dtype == G4_BF16) backward_weight<Bf16Path, bf16>(s, dw, dbias, dy, x, m, n, k);
  else if (dtype == G4_BF16 && dy_dtype == G4_F32) backward_weight<Bf16Path, float>(s, dw, dbias, dy, x, m, n, k);
  else return G4_UNSUPPORTED;
  return G4_OK;
}

}  // namespace g4::G4_ISA
