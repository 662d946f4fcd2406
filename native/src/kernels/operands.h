// Packing of the operands of a matrix product into the words that the register tile reads (micro.h).
//
// A product's depth is cut into blocks of kBlock = 256. One block of one panel of b is 256 steps x 32 columns x 4 bytes =
// 32 KiB; the one or two panels of a tile stay in the L1 or L2 cache while all row tiles pass over them. A block of a tile of
// a is 6 KiB and comes from L2.
//
//   rows form     a tile row after row, each row contiguous in depth: for operands that are row-major in depth. Floats have it as
//                 they lie, and are not packed. Packed rows are kRowWords apart, 64 bytes more than a block, so that they do not
//                 share cache sets.
//   columns form  depth after depth, the tile's rows side by side: for operands of which the depth is the outer dimension.
//
// bf16 with vdpbf16ps: a word is a pair. Without: bf16 is widened to floats and the two of a pair change places, so that
// plain fused products run over them in the order of the instruction; both give the same bits.
#pragma once

#include <cstdint>

#include "kernels/launch.h"
#include "kernels/micro.h"

namespace g4::G4_ISA {

constexpr int kBlock = 256;

struct F32Path {
  using T = float;
  using Step = FloatStep;
  static constexpr bool kPairs = false;  // a word is a pair of bf16
  static constexpr bool kSwap = false;   // a word is a float, pairs in the order odd, even
};

struct Bf16Path {
  using T = bf16;
#ifdef G4_HAS_DPBF16
  using Step = DotPairStep;
  static constexpr bool kPairs = true;
#else
  using Step = FloatStep;
  static constexpr bool kPairs = false;
#endif
  static constexpr bool kSwap = !kPairs;
};

// Words (steps) that `depth` elements take.
template <class Path>
constexpr int64_t words_of(int64_t depth) {
  return Path::kPairs ? (depth + 1) / 2 : Path::kSwap ? (depth + 1) / 2 * 2 : depth;
}

template <class Path>
constexpr int kRowWords = (Path::kPairs ? kBlock / 2 : kBlock) + 16;

constexpr int64_t kPackedPanel = int64_t(kBlock) * kPanel;  // distance of packed panels
constexpr int64_t kTileWords = int64_t(kTileRows) * (kBlock + 16);  // distance of packed tiles, either form

template <class Path>
inline constexpr TileKernels<typename Path::Step, Words::kOfARow> kRowsKernels{};
template <class Path>
inline constexpr TileKernels<typename Path::Step, Words::kOfAStep> kColumnsKernels{};
// Rows form against the bf16 weight as it is stored.
inline constexpr TileKernels<SplitPairStep, Words::kOfARow> kSplitKernels{};

// `n` <= kLanes elements at the precision of the path.
template <class Path>
inline V load_for(const float* p, int n) {
  const V v = n == V::kLanes ? V::load(p) : V::load(p, n);
  if constexpr (sizeof(typename Path::T) == 2) return round_to_bf16(v);
  return v;
}
template <class Path>
inline V load_for(const bf16* p, int n) {
  static_assert(sizeof(typename Path::T) == 2, "bf16 operands belong to the bf16 path");
  return n == V::kLanes ? V::load(p) : V::load(p, n);
}

// Some hundred words: std::memcpy of them may become an instruction that takes longer to start than to run.
inline void copy_words(float* dst, const float* src, int64_t count) {
  for_vectors(count, [&](int64_t i, auto lanes) { store(load(src + i, lanes), dst + i, lanes); });
}

inline void store_first(V v, float* p, int n) {
  if (n == V::kLanes) v.store(p);
  else v.store(p, n);
}

// One row in rows form: words_of(count) words at dst.
template <class Path, class S>
void pack_row(float* dst, const S* src, int64_t count) {
  static_assert(sizeof(typename Path::T) == 2, "rows of floats are used as they lie");
  if constexpr (Path::kPairs) {
    bf16* out = reinterpret_cast<bf16*>(dst);
    if constexpr (sizeof(S) == 2) {
      copy_words(dst, reinterpret_cast<const float*>(src), count / 2);
      if (count % 2 != 0) out[count - 1] = src[count - 1];
    } else {
      int64_t i = 0;
      for (; i + V::kLanes <= count; i += V::kLanes) V::load(src + i).store(out + i);
      if (i < count) V::load(src + i, int(count - i)).store(out + i, int(count - i));
    }
    if (count % 2 != 0) out[count] = bf16{0};
  } else {
    int64_t i = 0;
    for (; i + V::kLanes <= count; i += V::kLanes) swap_neighbours(load_for<Path>(src + i, V::kLanes)).store(dst + i);
    if (i < count) {
      const int rest = int(count - i);
      store_first(swap_neighbours(load_for<Path>(src + i, rest)), dst + i, (rest + 1) / 2 * 2);
    }
  }
}

// `depth` source rows of `width` <= kWidth columns in columns form: kWidth words a step, the missing columns zero.
template <class Path, int kWidth, class S>
void pack_columns(float* dst, const S* src, int64_t src_stride, int64_t depth, int64_t width) {
  for (int64_t column = 0; column < kWidth; column += V::kLanes) {
    const int into = int(kWidth - column < V::kLanes ? kWidth - column : V::kLanes);
    const int64_t left = width - column;
    const int from = int(left < 0 ? 0 : left < into ? left : into);
    const S* in = src + (from > 0 ? column : 0);
    float* out = dst + column;
    if constexpr (Path::kPairs) {
      for (int64_t d = 0; d < depth; d += 2) {
        const V odd = d + 1 < depth ? load_for<Path>(in + (d + 1) * src_stride, from) : V::zero();
        store_first(join_pairs(load_for<Path>(in + d * src_stride, from), odd), out + d / 2 * kWidth, into);
      }
    } else {
      constexpr int64_t swap = Path::kSwap ? 1 : 0;
      for (int64_t d = 0; d < depth; d++) store_first(load_for<Path>(in + d * src_stride, from), out + (d ^ swap) * kWidth, into);
      if (Path::kSwap && depth % 2 != 0) store_first(V::zero(), out + (depth - 1) * kWidth, into);
    }
  }
}

// Address of row pair or row k of a packed weight's panel, as words; k2 is the width rounded up to even.
inline const float* panel_words(const float* w, int64_t k2, int64_t panel, int64_t k) { return w + panel * kPanel * k2 + k * kPanel; }
inline const float* panel_words(const bf16* w, int64_t k2, int64_t panel, int64_t k) {
  return reinterpret_cast<const float*>(w + panel * kPanel * k2 + k * kPanel);
}

// A block of a stored bf16 panel as floats for FloatStep: `pairs` steps of pairs become twice as many of floats.
inline void expand_panel(float* dst, const float* words, int64_t pairs) {
  for (int64_t s = 0; s < pairs; s++)
    for (int64_t lane = 0; lane < kPanel; lane += V::kLanes) {
      const V pair = V::load(words + s * kPanel + lane);
      odd_of_pairs(pair).store(dst + 2 * s * kPanel + lane);
      even_of_pairs(pair).store(dst + (2 * s + 1) * kPanel + lane);
    }
}

// A panel of w^T for the product dy w: columns k0 .. k0 + 31 (those below k2), depth n0 .. n0 + depth, n0 % 32 == 0.
template <class Path>
void pack_transposed(float* dst, const typename Path::T* w, int64_t k2, int64_t k0, int64_t n0, int64_t depth) {
  constexpr int L = V::kLanes;
  for (int64_t n = 0; n < depth; n += kPanel) {
    for (int64_t k = 0; k < kPanel; k += L) {
      const int64_t valid = k2 - k0 - k;
      const float* source = panel_words(w, k2, (n0 + n) / kPanel, valid > 0 ? k0 + k : 0);
      for (int64_t lane = 0; lane < kPanel; lane += L) {
        V rows[L];
        for (int i = 0; i < L; i += 2) {
          rows[i] = rows[i + 1] = V::zero();
          if (i >= valid) continue;
          if constexpr (sizeof(typename Path::T) == 2) {
            const V pair = V::load(source + i / 2 * kPanel + lane);
            rows[i] = even_of_pairs(pair);
            rows[i + 1] = odd_of_pairs(pair);
          } else {
            rows[i] = V::load(source + i * kPanel + lane);
            rows[i + 1] = V::load(source + (i + 1) * kPanel + lane);
          }
        }
        transpose(rows);
        float* out = dst + (Path::kPairs ? (n + lane) / 2 : n + lane) * kPanel + k;
        for (int i = 0; i < L; i += 2) {
          if constexpr (Path::kPairs) {
            join_pairs(rows[i], rows[i + 1]).store(out + i / 2 * kPanel);
          } else {
            rows[i].store(out + (Path::kSwap ? i + 1 : i) * kPanel);
            rows[i + 1].store(out + (Path::kSwap ? i : i + 1) * kPanel);
          }
        }
      }
    }
  }
}

}  // namespace g4::G4_ISA
