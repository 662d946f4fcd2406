// The tokens that a row may draw from, after the filters of Hugging Face's generate, in its order:
//
//   repetition penalty: x of a token seen before becomes x / penalty where positive, x penalty where negative
//   temperature:        weight e^((x - max x) / T)
//   top-k:              keeps x >= the k-th largest x, so ties with it stay
//   top-p:              in ascending order of (x, id), drops a token while the mass up to and including it is <= (1 - p) total
//   min-p:              keeps weight >= min_p times the largest weight
// At least one token stays.
//
// Each filter keeps an upper part of the row, and most rows keep a few hundred tokens of 150 000. So no row is sorted: a
// cheap lower bound on what can be kept comes first (the k-th largest of the maxima of 64-column groups, or a weight under which
// the mass is still too small, by bisection), then the filters run exactly on the few candidates above it.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/row_statistics.h"

namespace g4::G4_ISA {

constexpr int64_t kGroup = 64;

struct RankedToken {
  float x;
  int32_t id;
  float weight;
};
inline bool ranks_below(const RankedToken& a, const RankedToken& b) { return a.x < b.x || (a.x == b.x && a.id < b.id); }

// The kept tokens in order of id. total is the sum of their weights.
struct KeptTokens {
  float* x;
  int32_t* id;
  float* weight;
  int64_t count = 0;
  double total = 0;

  template <class Keep>
  void drop_unless(Keep keep) {
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++) {
      if (!keep(RankedToken{x[i], id[i], weight[i]})) continue;
      x[kept] = x[i], id[kept] = id[i], weight[kept] = weight[i];
      kept++;
    }
    count = kept;
  }
  void add_up() {
    total = 0;
    for (int64_t i = 0; i < count; i++) total += double(weight[i]);
  }
};

// Scratch of one row with `vocab` columns: group maxima, candidates as columns, and a copy to partition.
struct FilterScratch {
  float* group_max;
  KeptTokens kept;
  RankedToken* ranked;

  static int64_t bytes(int64_t vocab) {
    return (padded(vocab / kGroup + 1) + 3 * padded(vocab)) * int64_t(sizeof(float)) + padded(vocab) * int64_t(sizeof(RankedToken));
  }

  FilterScratch(char* memory, int64_t vocab) : group_max(reinterpret_cast<float*>(memory)) {
    kept.x = group_max + padded(vocab / kGroup + 1);
    kept.id = reinterpret_cast<int32_t*>(kept.x + padded(vocab));
    kept.weight = kept.x + 2 * padded(vocab);
    ranked = reinterpret_cast<RankedToken*>(kept.x + 3 * padded(vocab));
  }
};

inline float kth_largest(float* values, int64_t n, int64_t k) {
  std::nth_element(values, values + (k - 1), values + n, [](float a, float b) { return a > b; });
  return values[k - 1];
}

// The first token of the ascending order whose mass, with everything below it, exceeds `limit`; the last one if none does.
// Quickselect: each partition looks at one side only. `below` is the mass under all of the tokens.
inline RankedToken mass_cut(RankedToken* tokens, int64_t n, double below, double limit) {
  while (n > 1) {
    // Of three distinct tokens the middle one, of two the lower one: never the last, so that both parts shrink.
    const RankedToken a = tokens[0], b = tokens[n / 2], c = tokens[n - 1];
    const RankedToken lesser = std::min(a, b, ranks_below), greater = std::max(a, b, ranks_below);
    const RankedToken pivot = n == 2 ? lesser : std::max(lesser, std::min(greater, c, ranks_below), ranks_below);
    RankedToken* middle = std::partition(tokens, tokens + n, [&](const RankedToken& t) { return !ranks_below(pivot, t); });
    double mass = below;
    for (RankedToken* t = tokens; t < middle; t++) mass += double(t->weight);
    if (mass > limit) {
      n = middle - tokens;
    } else {
      below = mass;
      n -= middle - tokens;
      tokens = middle;
    }
  }
  return tokens[0];
}

inline bool filters_are_off(const g4_sampling& s) { return s.top_k <= 0 && s.top_p >= 1.0f && s.min_p <= 0.0f; }

struct PenalisedToken {
  int32_t id;
  float x;  // before the penalty
};

// x of distinct earlier tokens <- penalised x; changed gets what they were. seen: one bit for each id, zeroed here. Returns
// the number of changed tokens.
inline int64_t penalise(float* x, int64_t used, const int32_t* history, int64_t length, float penalty, uint64_t* seen, PenalisedToken* changed) {
  std::fill(seen, seen + (used + 63) / 64, uint64_t(0));
  int64_t count = 0;
  for (int64_t i = 0; i < length; i++) {
    const int32_t id = history[i];
    if (id < 0 || id >= used || (seen[id / 64] >> (id % 64) & 1) != 0) continue;
    seen[id / 64] |= uint64_t(1) << (id % 64);
    changed[count++] = {id, x[id]};
    x[id] = x[id] < 0.0f ? x[id] * penalty : x[id] / penalty;
  }
  return count;
}

// Lowest id among the largest x; 0 if no x is a number.
inline int32_t argmax(const float* x, int64_t used) {
  const float top = highest(x, used);
  for (int64_t i = 0; i < used; i++)
    if (x[i] == top) return int32_t(i);
  return 0;
}

inline void weigh_columns(float* weight, const float* x, int64_t n, float top, float inv_temperature) {
  for_vectors(n, [&](int64_t i, auto lanes) { store(exp((load(x + i, lanes) - V::set(top)) * V::set(inv_temperature)), weight + i, lanes); });
}

// The sum of all weights under `bound`; NaN is passed over.
inline double mass_under(float bound, const float* weight, int64_t n) {
  const V limit = V::set(bound);
  double mass = 0;
  for (int64_t c = 0; c < n; c += kChunk) {
    const int64_t columns = std::min(kChunk, n - c);
    V sum = V::zero();
    // Lanes past the end are 0 and add nothing.
    for_vectors(columns, [&](int64_t i, auto lanes) {
      const V w = load(weight + c + i, lanes);
      sum = sum + select(less(w, limit), w, V::zero());
    });
    mass += double(reduce_add(sum));
  }
  return mass;
}

// Where top-p cuts, as a range of weights: what is under `least` goes, what reaches `sure` stays, the cut lies between.
struct MassWindow {
  float least;
  float sure;
  double below;  // the mass under `least`
  double limit;  // (1 - p) of all mass
};

inline MassWindow mass_window(const float* weight, int64_t n, float top_p) {
  const float infinity = std::numeric_limits<float>::infinity();
  MassWindow w{0.0f, infinity, 0.0, (1.0 - double(top_p)) * mass_under(infinity, weight, n)};
  // Even all tokens together cannot reach the mass with less than the average of it; from there, bisection of the logarithm.
  float low = std::max(float(w.limit / double(n) * 0.999), 1e-37f), high = 1.0f;
  constexpr int64_t kWorthHalving = 1024;
  int64_t left = n;
  do {
    const float middle = left == n ? low : std::sqrt(low) * std::sqrt(high);
    const double mass = mass_under(middle, weight, n);
    if (mass <= w.limit) {
      w.least = low = middle;
      w.below = mass;
    } else {
      w.sure = high = middle;
    }
    left /= 2;
  } while (left > kWorthHalving && low < high);
  return w;
}

// Tokens of x [used] that stay, with weights relative to the largest x; empty when the row has no finite largest x or mass.
inline KeptTokens filter_row(const float* x, int64_t used, float inv_temperature, const g4_sampling& settings, FilterScratch& scratch) {
  const int64_t groups = (used + kGroup - 1) / kGroup;
  float top = -std::numeric_limits<float>::infinity();
  for (int64_t g = 0; g < groups; g++) {
    scratch.group_max[g] = highest(x + g * kGroup, std::min(kGroup, used - g * kGroup));
    top = scratch.group_max[g] > top ? scratch.group_max[g] : top;
  }
  KeptTokens kept = scratch.kept;
  if (!(std::fabs(top) <= std::numeric_limits<float>::max())) return kept;
  const bool top_k = settings.top_k > 0 && settings.top_k < used;
  const bool top_p = settings.top_p < 1.0f;

  // Lower bound on a kept x. Bounds from weights leave a margin for the rounding of the exponential and its inverse.
  float bound = -std::numeric_limits<float>::infinity();
  const auto x_of_weight = [&](double weight) {
    const double z = std::log(weight) / double(inv_temperature) + double(top);
    return float(z - 1e-3 / double(inv_temperature) - 1e-5 * std::fabs(z));
  };
  MassWindow window{};
  if (top_k && settings.top_k <= groups) {
    float* copy = scratch.kept.weight;
    std::copy(scratch.group_max, scratch.group_max + groups, copy);
    bound = kth_largest(copy, groups, settings.top_k);
  } else if (!top_k && top_p) {
    float* weight = reinterpret_cast<float*>(scratch.ranked);
    weigh_columns(weight, x, used, top, inv_temperature);
    window = mass_window(weight, used, settings.top_p);
    if (window.least > 0.0f) bound = std::min(x_of_weight(window.least), top);
  } else if (!top_k && settings.min_p > 0.0f) {
    bound = std::min(x_of_weight(settings.min_p), top);
  }

  for (int64_t g = 0; g < groups; g++) {
    if (!(scratch.group_max[g] >= bound)) continue;
    for (int64_t i = g * kGroup; i < std::min(used, (g + 1) * kGroup); i++) {
      kept.x[kept.count] = x[i];
      kept.id[kept.count] = int32_t(i);
      kept.count += x[i] >= bound;
    }
  }
  weigh_columns(kept.weight, kept.x, kept.count, top, inv_temperature);

  if (top_k && kept.count > settings.top_k) {
    float* copy = reinterpret_cast<float*>(scratch.ranked);
    std::copy(kept.x, kept.x + kept.count, copy);
    const float cut = kth_largest(copy, kept.count, settings.top_k);
    kept.drop_unless([&](const RankedToken& t) { return t.x >= cut; });
  }
  if (top_p) {
    if (top_k) {
      kept.add_up();
      window = {0.0f, std::numeric_limits<float>::infinity(), 0.0, (1.0 - double(settings.top_p)) * kept.total};
    }
    kept.drop_unless([&](const RankedToken& t) { return t.weight >= window.least; });
    int64_t open = 0;
    for (int64_t i = 0; i < kept.count; i++)
      if (kept.weight[i] < window.sure) scratch.ranked[open++] = {kept.x[i], kept.id[i], kept.weight[i]};
    const RankedToken cut = mass_cut(scratch.ranked, open, window.below, window.limit);
    kept.drop_unless([&](const RankedToken& t) { return !ranks_below(t, cut); });
  }
  if (settings.min_p > 0.0f) {
    const float heaviest = *std::max_element(kept.weight, kept.weight + kept.count);
    const float cut = heaviest * std::min(settings.min_p, 1.0f);
    kept.drop_unless([&](const RankedToken& t) { return t.weight >= cut; });
  }
  kept.add_up();
  return kept;
}

}  // namespace g4::G4_ISA
