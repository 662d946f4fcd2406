// One token for each row of logits, with its log-prob and the row's entropy.
//
//   u = uniform(Philox(seed, counter of the row));  token = the first id, in order of id, whose cumulative weight exceeds u total
//
// logits f32 [rows, vocab], one block a row. The statistics are those of row_statistics.cuh over the whole vocabulary, before
// penalty and filters: the log-prob has the bits that training will compute. The logits are not changed; the repetition penalty
// is applied on the way in, from a bit map of the row's history in shared memory (19 KB at 151,936 ids).
//
// Random numbers and weights have the bits of the CPU kernels, and the rule that turns one into the other is theirs, so equal
// logits give equal tokens unless the random number falls within the rounding of a sum (about 1e-7 of the mass, without filters;
// with filters the sums are whole numbers and exact).
//
// Bytes per logit: without filters 4, and 4 more for one region of 16 (the draw walks the region whose share of the mass holds the
// random number); with filters 8. At batch 256 and 151,936 columns 156 MB, 36 us at 4.3 TB/s. 256 rows are one round on an
// H200 (two blocks an SM); the quantiles of one block run while the other one reads.
//
// A row without a finite distribution (NaN, all -infinity) gives the lowest id of the largest number in it, or 0: the caller
// sees a log-prob that is not finite and decides.
#include "philox.cuh"
#include "sampling_filter.cuh"

namespace g4::cuda {

namespace {

struct SamplingShared {
  Statistics warps[kRowWarps];
  Statistics draw_warps[kRowWarps];  // of what may be drawn: penalised, without padding
  SumBuffer sums;
  Candidates list;
};

// The history's ids as bits; null without a penalty.
__device__ __forceinline__ const unsigned* mark_seen(unsigned* seen, const Sampling& op, const int32_t* history, const int32_t* starts, int64_t row) {
  if (history == nullptr || op.penalty == 1.0f) return nullptr;
  for (int i = int(threadIdx.x); G4_GUARD(i < int(ceil_div(op.used, 32))); i += kRowThreads) seen[i] = 0;
  __syncthreads();
  for (int i = starts[row] + int(threadIdx.x); G4_GUARD(i < starts[row + 1]); i += kRowThreads) {
    const int id = history[i];
    if (id >= 0 && id < op.used) atomicOr(&seen[id / 32], 1u << (id % 32));
  }
  __syncthreads();
  return seen;
}

template <int V>
__device__ __forceinline__ Statistics draw_statistics(const SamplingRow& row, const Sampling& op, const Statistics& plain) {
  const Region region = region_of<V>(warp_of_thread(), op.vocab);
  if (!row.differs(region)) return plain;
  return lane_statistics<V>(region, op.inv_temperature * kLog2E, [&](int id) { return row.template vector<V>(id); });
}

// Lowest id among the largest logits; 0 if none is a number.
__device__ __forceinline__ int argmax(const SamplingRow& row, const Sampling& op, float top, BlockSums& sums) {
  int lowest = op.used;
  for (int id = int(threadIdx.x); id < op.used; id += kRowThreads)
    if (lowest == op.used && row[id] == top) lowest = id;
  const uint64_t anyone = sums.of([&](auto add) { add(lowest < op.used ? 1 : 0); });
  if (anyone == 0) return 0;
  return int(sums.quantile(20, 0, [&](auto add) { add(uint32_t(lowest), lowest < op.used ? uint64_t(1) : uint64_t(0)); }));
}

// The draw without filters: the regions' masses lead to one region, whose ids are gone through.
template <int V>
__device__ __forceinline__ int draw_unfiltered(const SamplingRow& row, const Sampling& op, float top, uint64_t uniform, const Statistics* warps, BlockSums& sums) {
  const float scale = op.inv_temperature * kLog2E;
  uint64_t total = 0;
  for (int w = 0; w < kRowWarps; w++) total += uint64_t(rebased(warps[w], top, scale).sum * kOne);
  uint64_t target = __umul64hi(uniform << 11, total);
  int region = 0;
  for (int w = 0; w < kRowWarps; w++) {
    const uint64_t mass = uint64_t(rebased(warps[w], top, scale).sum * kOne);
    if (mass == 0) continue;
    region = w;
    if (target < mass) break;
    target -= mass;
  }
  const Region ids = region_of<V>(region, op.vocab);
  const int end = ids.end < op.used ? ids.end : op.used;
  const auto each = [&](auto add) {
    for (int id = ids.begin + int(threadIdx.x); id < end; id += kRowThreads) add(uint32_t(id), row.mass(row[id], top));
  };
  const uint64_t mass = sums.of([&](auto add) { each([&](uint32_t, uint64_t m) { add(m); }); });
  // The region's share came from other roundings than its ids' masses: the very end belongs to the last id.
  return int(sums.quantile(20, target < mass ? target : mass - 1, each));
}

template <int V>
__global__ void __launch_bounds__(kRowThreads, kRowBlocks)
    sample_kernel(int32_t* token, float* logprob, float* entropy, const float* logits, const uint32_t* counters, const int32_t* history,
                  const int32_t* history_start, Sampling op) {
  G4_SHARED(SamplingShared, shared, 1);
  G4_DYNAMIC_SHARED(unsigned, seen_bits);
  BlockSums sums(&shared[0].sums);
  const int64_t row_index = blockIdx.x;
  const float* x = logits + row_index * op.vocab;
  const SamplingRow row(x, op, mark_seen(seen_bits, op, history, history_start, row_index));
  const float scale = op.inv_temperature * kLog2E;
  const Statistics plain = lane_statistics<V>(region_of<V>(warp_of_thread(), op.vocab), scale, [&](int column) { return load_pack<V>(x + column); });
  const Statistics own = draw_statistics<V>(row, op, plain);
  const Statistics warp = warp_statistics(plain, scale), draw_warp = warp_statistics(own, scale);
  if (lane_of_thread() == 0) shared[0].warps[warp_of_thread()] = warp, shared[0].draw_warps[warp_of_thread()] = draw_warp;
  __syncthreads();
  const Statistics drawn = merged_warps(shared[0].draw_warps, scale);
  const bool finite_top = fabsf(drawn.max) <= 3.402823466e38f;
  int chosen;
  if (op.greedy || !finite_top || (!op.filters() && !(drawn.sum > 0.0f))) {
    chosen = argmax(row, op, drawn.max, sums);
  } else {
    const uint64_t uniform = uniform53(counters + 4 * row_index, op.seed);
    if (op.filters()) {
      Filter<V> filter(row, op, {drawn.max, drawn.sum, own.max}, sums, &shared[0].list);
      chosen = filter.draw(__umul64hi(uniform << 11, filter.total()));
    } else {
      chosen = draw_unfiltered<V>(row, op, drawn.max, uniform, shared[0].draw_warps, sums);
    }
  }
  if (threadIdx.x != 0) return;
  const RowStatistics s(merged_warps(shared[0].warps, scale), op.inv_temperature);
  token[row_index] = chosen;
  if (logprob != nullptr) logprob[row_index] = s.log_probability(row.original(chosen));
  if (entropy != nullptr) entropy[row_index] = s.entropy;
}

// probs [rows, vocab]: what sample_kernel draws from.
template <int V>
__global__ void __launch_bounds__(kRowThreads, kRowBlocks)
    filtered_probs_kernel(float* probs, const float* logits, const int32_t* history, const int32_t* history_start, Sampling op) {
  G4_SHARED(SamplingShared, shared, 1);
  G4_DYNAMIC_SHARED(unsigned, seen_bits);
  BlockSums sums(&shared[0].sums);
  const int64_t row_index = blockIdx.x;
  const SamplingRow row(logits + row_index * op.vocab, op, mark_seen(seen_bits, op, history, history_start, row_index));
  const float scale = op.inv_temperature * kLog2E;
  const Region region = region_of<V>(warp_of_thread(), op.vocab);
  const Statistics own = lane_statistics<V>(region, scale, [&](int id) { return row.template vector<V>(id); });
  const Statistics warp = warp_statistics(own, scale);
  if (lane_of_thread() == 0) shared[0].warps[warp_of_thread()] = warp;
  __syncthreads();
  const Statistics all = merged_warps(shared[0].warps, scale);
  float* out = probs + row_index * op.vocab;
  if (op.greedy || !(fabsf(all.max) <= 3.402823466e38f)) {
    const int chosen = argmax(row, op, all.max, sums);
    for (int id = int(threadIdx.x); G4_GUARD(id < op.vocab); id += kRowThreads) out[id] = id == chosen ? 1.0f : 0.0f;
    return;
  }
  const Filter<V> filter(row, op, {all.max, all.sum, own.max}, sums, &shared[0].list);
  const float total = float(filter.total()) / kOne;
  for (int id = int(threadIdx.x); G4_GUARD(id < op.vocab); id += kRowThreads) {
    const float logit = id < op.used ? row[id] : negative_infinity();
    out[id] = id < op.used && filter.keeps(logit, id) ? row.weight(logit, all.max) / total : 0.0f;
  }
}

bool is_penalised(const g4_sampling& s, g4_cptr history) { return history != nullptr && s.repetition_penalty != 1.0f; }

Sampling sampling_of(const g4_sampling& s, int64_t vocab) {
  Sampling op{};
  op.vocab = int(vocab);
  op.used = s.vocab_used > 0 && s.vocab_used < vocab ? s.vocab_used : int(vocab);
  op.greedy = !(s.temperature > 0.0f);
  op.inv_temperature = op.greedy ? 1.0f : 1.0f / s.temperature;
  op.top_k = s.top_k > 0 ? s.top_k : 0;
  const double drop = 1.0 - double(s.top_p);
  op.dropped = drop > 0 ? uint64_t((drop < 1 ? drop : 1.0) * 0x1p63) : 0;
  op.min_p = s.min_p > 0.0f ? s.min_p : 0.0f;
  op.penalty = s.repetition_penalty;
  op.seed = s.seed;
  return op;
}

size_t seen_bytes(const Sampling& op, bool penalised) { return penalised ? size_t(ceil_div(op.used, 32)) * sizeof(unsigned) : 0; }

// Two bit maps and two lists must fit beside each other on an SM, and what a launch gets without asking is 48 KB.
constexpr size_t kMostSeenBytes = 48 * 1024 - sizeof(SamplingShared);

}  // namespace

}  // namespace g4::cuda

using namespace g4::cuda;

int g4_sample(g4_stream stream, g4_ptr token_i32, g4_ptr logprob, g4_ptr entropy, g4_ptr logits, g4_cptr counters_u32, g4_cptr history_i32, g4_cptr history_start_i32, int64_t rows, int64_t vocab, const g4_sampling* settings) {
  if (rows == 0) return G4_OK;
  const Sampling op = sampling_of(*settings, vocab);
  const size_t bytes = seen_bytes(op, is_penalised(*settings, history_i32));
  if (vocab > kMaxVocab || bytes > kMostSeenBytes) return G4_UNSUPPORTED;
  return with_vector<float>(vocab, [&](auto vector) {
    launch(sample_kernel<decltype(vector)::value>, dim3(unsigned(rows)), dim3(kRowThreads), bytes, stream, static_cast<int32_t*>(token_i32),
           static_cast<float*>(logprob), static_cast<float*>(entropy), static_cast<const float*>(logits), static_cast<const uint32_t*>(counters_u32),
           static_cast<const int32_t*>(history_i32), static_cast<const int32_t*>(history_start_i32), op);
    return status();
  });
}

int g4_filtered_probs(g4_stream stream, g4_ptr probs, g4_ptr logits, g4_cptr history_i32, g4_cptr history_start_i32, int64_t rows, int64_t vocab, const g4_sampling* settings) {
  if (rows == 0) return G4_OK;
  const Sampling op = sampling_of(*settings, vocab);
  const size_t bytes = seen_bytes(op, is_penalised(*settings, history_i32));
  if (vocab > kMaxVocab || bytes > kMostSeenBytes) return G4_UNSUPPORTED;
  return with_vector<float>(vocab, [&](auto vector) {
    launch(filtered_probs_kernel<decltype(vector)::value>, dim3(unsigned(rows)), dim3(kRowThreads), bytes, stream, static_cast<float*>(probs),
           static_cast<const float*>(logits), static_cast<const int32_t*>(history_i32), static_cast<const int32_t*>(history_start_i32), op);
    return status();
  });
}
