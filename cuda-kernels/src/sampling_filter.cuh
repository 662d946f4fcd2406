// The tokens that a row may draw from, after the filters of Hugging Face's generate, in its order:
//
//   temperature:  weight e^((x - max x) / T)
//   top-k:        keeps x >= the k-th largest x, so ties with it stay
//   top-p:        in ascending order of (x, id), drops a token while the mass up to and including it is <= (1 - p) total
//   min-p:        keeps weight >= min_p times the largest weight
//
// Nothing is sorted: each cut is a quantile (quantile.cuh). Most rows keep a few hundred tokens of 150 000, so a cheap lower
// bound on what can be kept comes first (the k-th largest of the 512 lanes' maxima; or the weight that so many tokens cannot
// exceed together), and the tokens above it are listed in shared memory, 6 KB for every 1,000. Then the quantiles read the list
// (about 3 us each); where it is too short, as for flat rows, they read the row itself, 16 times.
#pragma once

#include "sampling_row.cuh"

namespace g4::cuda {

constexpr int kListed = 3072;

struct Candidates {
  float x[kListed];
  int id[kListed];
  unsigned count;
};

// What all threads know about a row that has a finite largest logit.
struct RowMass {
  float top;       // the largest logit, penalised
  float sum;       // of all weights, roughly (1e-6)
  float lane_max;  // of this lane's columns
};

template <int V>
class Filter {
 public:
  __device__ __forceinline__ Filter(const SamplingRow& row, const Sampling& op, const RowMass& known, BlockSums& sums, Candidates* list)
      : row_(row), op_(op), top_(known.top), sums_(sums), list_(list) {
    const bool top_k = op.top_k > 0 && op.top_k < op.used;
    uint64_t total = 0;
    if (op.filters()) total = list_above(lower_bound(top_k, known), !top_k && op.dropped != 0);
    if (top_k) keep_top_k();
    if (op.dropped != 0) keep_top_p(top_k, total);
    lightest_ = fminf(op.min_p, 1.0f);
    total_ = sums_.of([&](auto add) { each_kept([&](float x, int) { add(row_.mass(x, top_)); }); });
  }

  __device__ __forceinline__ uint64_t total() const { return total_; }

  __device__ __forceinline__ bool keeps(float x, int id) const {
    if (!(x == x)) return false;
    const uint32_t rank = rank_of(x);
    if (rank < least_rank_ || rank < cut_rank_ || (rank == cut_rank_ && id < cut_id_)) return false;
    return lightest_ <= 0.0f || row_.weight(x, top_) >= lightest_;
  }

  // The first id, in order of id, whose cumulative mass exceeds target; target < total().
  __device__ __forceinline__ int draw(uint64_t target) {
    return int(sums_.quantile(20, target, [&](auto add) { each_kept([&](float x, int id) { add(uint32_t(id), row_.mass(x, top_)); }); }));
  }

 private:
  // body(x, id) for this thread's tokens: of the list where it holds all candidates, of the row otherwise.
  template <class Body>
  __device__ __forceinline__ void each(Body body) const {
    const int count = listed_ ? int(list_->count) : op_.used;
    for (int i = int(threadIdx.x); G4_GUARD(i < count); i += kRowThreads) body(listed_ ? list_->x[i] : row_[i], listed_ ? list_->id[i] : i);
  }

  template <class Body>
  __device__ __forceinline__ void each_kept(Body body) const {
    each([&](float x, int id) {
      if (keeps(x, id)) body(x, id);
    });
  }

  // No token under it can be kept. Bounds that come from weights leave room for the rounding of exponential and logarithm.
  __device__ __forceinline__ float lower_bound(bool top_k, const RowMass& known) {
    if (top_k) {
      if (op_.top_k > kRowThreads) return negative_infinity();
      const uint32_t rank = sums_.quantile(32, uint64_t(kRowThreads - op_.top_k), [&](auto add) { add(rank_of(known.lane_max), uint64_t(1)); });
      return number_of(rank);
    }
    // All tokens together cannot reach the mass that top-p drops with less than the average of it.
    const float share = float(op_.dropped) * 0x1p-63f;
    const float weight = fmaxf(op_.dropped != 0 ? share * known.sum / float(op_.used) * 0.9f : op_.min_p, 1e-37f);
    const float z = logf(weight) / op_.inv_temperature + top_;
    return fminf(z - 2e-3f / op_.inv_temperature - 1e-5f * fabsf(z), top_);
  }

  // Lists the tokens from `bound` on, and returns the mass of the whole row if it is asked for.
  __device__ __forceinline__ uint64_t list_above(float bound, bool weigh) {
    uint64_t all[1] = {0};
    bound = fmaxf(bound, -3.402823466e38f);  // -infinity weighs nothing
    least_rank_ = rank_of(bound);
    if (threadIdx.x == 0) list_->count = 0;
    __syncthreads();
    const Region region = region_of<V>(warp_of_thread(), op_.vocab);
    for_columns<V>(region, [&](int id) { return row_.template vector<V>(id); }, [&](const Floats<V>(&x)[kAhead], int at) {
#pragma unroll
      for (int u = 0; u < kAhead; u++)
#pragma unroll
        for (int k = 0; k < V; k++) {
          const int id = at + u * kWarp * V + k;
          if (weigh) all[0] += row_.mass(x[u].e[k], top_);
          if (!(x[u].e[k] >= bound)) continue;
          const unsigned slot = atomicAdd(&list_->count, 1u);
          if (!G4_GUARD(slot < unsigned(kListed))) continue;
          list_->x[slot] = x[u].e[k];
          list_->id[slot] = id;
        }
    });
    sums_.sum(all);  // its barrier also ends the writing of the list
    listed_ = list_->count <= unsigned(kListed);
    return all[0];
  }

  __device__ __forceinline__ void keep_top_k() {
    const uint64_t count = sums_.of([&](auto add) { each([&](float x, int) { add(x == x ? 1 : 0); }); });
    if (count <= uint64_t(op_.top_k)) return;
    least_rank_ = sums_.quantile(32, count - uint64_t(op_.top_k), [&](auto add) {
      each([&](float x, int) {
        if (x == x) add(rank_of(x), uint64_t(1));
      });
    });
  }

  // `all`: the mass of the row, where top-k has not cut it.
  __device__ __forceinline__ void keep_top_p(bool top_k, uint64_t all) {
    const uint64_t mass = sums_.of([&](auto add) { each_kept([&](float x, int) { add(row_.mass(x, top_)); }); });
    const uint64_t total = top_k ? mass : all;
    const uint64_t under = total - mass;  // what is not in the list
    uint64_t limit = __umul64hi(total * 2, op_.dropped);
    limit = limit < total ? limit : total - 1;  // the last token stays
    limit = limit > under ? limit - under : 0;
    const uint32_t rank = sums_.quantile(32, limit, [&](auto add) { each_kept([&](float x, int) { add(rank_of(x), row_.mass(x, top_)); }); });
    // Of equal tokens the first ones go.
    const uint64_t lighter = sums_.of([&](auto add) {
      each_kept([&](float x, int) {
        if (rank_of(x) < rank) add(row_.mass(x, top_));
      });
    });
    const uint64_t one = row_.mass(number_of(rank), top_);
    const uint64_t gone = one > 0 && limit > lighter ? (limit - lighter) / one : 0;
    if (gone > 0)
      cut_id_ = int(sums_.quantile(20, gone, [&](auto add) {
        each_kept([&](float x, int id) {
          if (rank_of(x) == rank) add(uint32_t(id), uint64_t(1));
        });
      }));
    cut_rank_ = rank;
  }

  const SamplingRow& row_;
  const Sampling& op_;
  float top_;
  BlockSums& sums_;
  Candidates* list_;
  bool listed_ = false;
  uint32_t least_rank_ = 0;
  uint32_t cut_rank_ = 0;
  int cut_id_ = 0;
  float lightest_ = 0.0f;
  uint64_t total_;
};

}  // namespace g4::cuda
