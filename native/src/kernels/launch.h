// What every kernel launcher needs: a type from a dtype, a share of rows for a thread, whole vectors and the rest of a row.
#pragma once

#include <algorithm>
#include <cstdint>

#include "grpo4j/ops.h"
#include "stream.h"

namespace g4::G4_ISA {

// f(float{}) or f(bf16{}), whichever stores `dtype`.
template <class F>
inline int with_type(int dtype, F&& f) {
  if (dtype == G4_F32) return f(float{});
  if (dtype == G4_BF16) return f(bf16{});
  return G4_UNSUPPORTED;
}

// To share a loop with a worker that looks for work costs about 2 us, so a loop that takes a few of those stays on the calling thread.
constexpr double kWorthWakingNs = 10000;
// ... and one index of a loop is not worth less than this.
constexpr double kTaskNs = 4000;

// body(int64_t index, int thread) for count indices of which one takes about ns.
template <class Body>
inline void for_tasks(Stream& stream, int64_t count, double ns, Body&& body) {
  if (double(count) * ns < kWorthWakingNs) {
    for (int64_t i = 0; i < count; i++) body(i, 0);
  } else {
    stream.parallel_for(count, body);
  }
}

// body(int64_t begin, int64_t end, int thread) over independent rows of which one takes about ns. Where the rows are cut
// depends on the number of threads, so a body must treat each row alone.
template <class Body>
inline void for_rows(Stream& stream, int64_t rows, double ns, Body&& body) {
  if (rows <= 0) return;
  if (stream.threads() == 1 || double(rows) * ns < kWorthWakingNs) {
    body(int64_t(0), rows, 0);
    return;
  }
  const int64_t balanced = rows / (int64_t(stream.threads()) * 4);
  const int64_t share = std::max<int64_t>({1, balanced, int64_t(kTaskNs / ns)});
  stream.parallel_for((rows + share - 1) / share, [&](int64_t i, int thread) {
    body(i * share, std::min(rows, (i + 1) * share), thread);
  });
}

// A row is walked in whole vectors and one rest. A loop body is written once, as a lambda over (index, lanes).
struct AllLanes {};
struct FirstLanes {
  int n;
};
template <class T>
inline V load(const T* p, AllLanes) { return V::load(p); }
template <class T>
inline V load(const T* p, FirstLanes lanes) { return V::load(p, lanes.n); }
template <class T>
inline void store(V v, T* p, AllLanes) { v.store(p); }
template <class T>
inline void store(V v, T* p, FirstLanes lanes) { v.store(p, lanes.n); }

template <class F>
inline void for_vectors(int64_t n, F&& f) {
  int64_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) f(i, AllLanes{});
  if (i < n) f(i, FirstLanes{int(n - i)});
}

// Rows of scratch tensors start at a multiple of a vector.
inline int64_t padded(int64_t n) { return (n + V::kLanes - 1) / V::kLanes * V::kLanes; }

}  // namespace g4::G4_ISA
