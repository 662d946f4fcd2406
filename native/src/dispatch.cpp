// The C entry points: stream life, memory, and one forwarder per op to the kernels that the stream was created with.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>

#include "grpo4j/ops.h"
#include "kernel_table.h"
#include "stream.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace {

using g4::KernelTable;
using g4::Stream;
using g4::stream_of;

// The widest instruction set that this processor has.
int widest_isa() {
#ifdef G4_X86
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (avx512 && __builtin_cpu_supports("avx512bf16")) return G4_ISA_AVX512_BF16;
  if (avx512) return G4_ISA_AVX512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return G4_ISA_AVX2;
#endif
  return G4_ISA_BASELINE;
}

const KernelTable& kernels_of(int isa) {
#ifdef G4_X86
  switch (isa) {
    case G4_ISA_AVX512_BF16: return g4::avx512_bf16_kernels();
    case G4_ISA_AVX512: return g4::avx512_kernels();
    case G4_ISA_AVX2: return g4::avx2_kernels();
    default: break;
  }
#else
  (void)isa;
#endif
  return g4::baseline_kernels();
}

// Products a second of one thread in registers, the best of several short runs: what else runs on the machine only slows one.
double products_per_second(g4_stream stream, const KernelTable& kernels, int dtype) {
  constexpr int kRuns = 7;
  constexpr int64_t kIterations = 500;  // some 50 us
  double best = 0;
  for (int run = 0; run < kRuns; run++) {
    double operations = 0;
    const auto start = std::chrono::steady_clock::now();
    kernels.peak_multiply_add(stream, kIterations, dtype, &operations);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    best = std::max(best, operations / elapsed.count());
  }
  return best;
}

// The fastest instruction set that this processor has. vdpbf16ps is twice as fast as fp32 products on Zen 4, and half as fast on
// Sapphire and Emerald Rapids, where bf16 widened to fp32 wins. Both give the same bits, but for subnormal numbers, which the
// instruction takes for zero, so a measurement may choose; below nine tenths of the fp32 rate the instruction loses, since that is what
// the widening leaves of it.
int fastest_isa() {
  static const int fastest = [] {
    const int widest = widest_isa();
    if (widest != G4_ISA_AVX512_BF16) return widest;
    const KernelTable& kernels = kernels_of(widest);
    Stream stream(1, widest, kernels);
    const double fp32 = products_per_second(&stream, kernels, G4_F32);
    const double bf16 = products_per_second(&stream, kernels, G4_BF16);
    return bf16 < 0.9 * fp32 ? G4_ISA_AVX512 : widest;
  }();
  return fastest;
}

// Tensors of some size get huge pages: weights are streamed at every decode step, and 4 KiB pages cost a TLB miss each.
constexpr int64_t kHugePage = int64_t(2) << 20;

// Copies and fills are split so that several threads reach the memory's bandwidth.
constexpr int64_t kCopyChunk = int64_t(1) << 20;

}  // namespace

extern "C" {

int g4_stream_create(int threads, int isa, g4_stream* stream) {
  try {
    const int chosen = isa == G4_ISA_BEST ? fastest_isa() : std::min(isa, widest_isa());
    *stream = new Stream(threads, chosen, kernels_of(chosen));
    return G4_OK;
  } catch (const std::bad_alloc&) {
    return G4_OUT_OF_MEMORY;
  } catch (const std::exception&) {
    return G4_INTERNAL;
  }
}

void g4_stream_destroy(g4_stream stream) { delete static_cast<Stream*>(stream); }

int g4_stream_isa(g4_stream stream) { return stream_of(stream).isa(); }

g4_ptr g4_alloc(int64_t bytes) {
  if (bytes < kHugePage) {
    void* small = std::aligned_alloc(64, size_t((bytes + 63) / 64 * 64));
    if (small != nullptr) std::memset(small, 0, size_t(bytes));
    return small;
  }
#if defined(__linux__)
  void* address = mmap(nullptr, size_t(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) return nullptr;
  madvise(address, size_t(bytes), MADV_HUGEPAGE);
  return address;
#else
  void* address = std::aligned_alloc(64, size_t((bytes + 63) / 64 * 64));
  if (address != nullptr) std::memset(address, 0, size_t(bytes));
  return address;
#endif
}

void g4_free(g4_ptr address, int64_t bytes) {
#if defined(__linux__)
  if (bytes >= kHugePage) {
    munmap(address, size_t(bytes));
    return;
  }
#endif
  (void)bytes;
  std::free(address);
}

int g4_fill_zero(g4_stream stream, g4_ptr dst, int64_t bytes) {
  char* out = static_cast<char*>(dst);
  stream_of(stream).parallel_for((bytes + kCopyChunk - 1) / kCopyChunk, [&](int64_t i, int) {
    const int64_t begin = i * kCopyChunk;
    std::memset(out + begin, 0, size_t(bytes - begin < kCopyChunk ? bytes - begin : kCopyChunk));
  });
  return G4_OK;
}

int g4_copy(g4_stream stream, g4_ptr dst, g4_cptr src, int64_t bytes) {
  char* out = static_cast<char*>(dst);
  const char* in = static_cast<const char*>(src);
  stream_of(stream).parallel_for((bytes + kCopyChunk - 1) / kCopyChunk, [&](int64_t i, int) {
    const int64_t begin = i * kCopyChunk;
    std::memcpy(out + begin, in + begin, size_t(bytes - begin < kCopyChunk ? bytes - begin : kCopyChunk));
  });
  return G4_OK;
}

int g4_cast(g4_stream stream, g4_ptr dst, int dst_dtype, g4_cptr src, int src_dtype, int64_t count) {
  return stream_of(stream).kernels().cast(stream, dst, dst_dtype, src, src_dtype, count);
}

int g4_add(g4_stream stream, g4_ptr dst, g4_cptr src, int64_t count, int dtype) {
  return stream_of(stream).kernels().add(stream, dst, src, count, dtype);
}

int g4_pack_rows(g4_stream stream, g4_ptr packed, int packed_dtype, g4_cptr src, int src_dtype, int64_t row0, int64_t rows, int64_t n, int64_t k) {
  return stream_of(stream).kernels().pack_rows(stream, packed, packed_dtype, src, src_dtype, row0, rows, n, k);
}

int g4_unpack_rows(g4_stream stream, g4_ptr dst, int dst_dtype, g4_cptr packed, int packed_dtype, int64_t row0, int64_t rows, int64_t n, int64_t k) {
  return stream_of(stream).kernels().unpack_rows(stream, dst, dst_dtype, packed, packed_dtype, row0, rows, n, k);
}

int g4_cast_packed(g4_stream stream, g4_ptr dst_bf16, g4_cptr src_f32, int64_t n, int64_t k) {
  return stream_of(stream).kernels().cast_packed(stream, dst_bf16, src_f32, n, k);
}

int g4_linear(g4_stream stream, g4_ptr y, int y_dtype, g4_cptr x, g4_cptr w, g4_cptr bias, int64_t m, int64_t n, int64_t k, int accumulate, int dtype) {
  return stream_of(stream).kernels().linear(stream, y, y_dtype, x, w, bias, m, n, k, accumulate, dtype);
}

int g4_linear_backward_input(g4_stream stream, g4_ptr dx, g4_cptr dy, int dy_dtype, g4_cptr w, int64_t m, int64_t n, int64_t k, int accumulate, int dtype) {
  return stream_of(stream).kernels().linear_backward_input(stream, dx, dy, dy_dtype, w, m, n, k, accumulate, dtype);
}

int g4_linear_backward_weight(g4_stream stream, g4_ptr dw, g4_ptr dbias, g4_cptr dy, int dy_dtype, g4_cptr x, int64_t m, int64_t n, int64_t k, int dtype) {
  return stream_of(stream).kernels().linear_backward_weight(stream, dw, dbias, dy, dy_dtype, x, m, n, k, dtype);
}

int g4_embedding(g4_stream stream, g4_ptr y, g4_cptr w, g4_cptr ids_i32, int64_t tokens, int64_t vocab, int64_t width, int dtype) {
  return stream_of(stream).kernels().embedding(stream, y, w, ids_i32, tokens, vocab, width, dtype);
}

int g4_embedding_backward(g4_stream stream, g4_ptr dw, g4_cptr dy, g4_cptr ids_i32, int64_t tokens, int64_t vocab, int64_t width, int dtype) {
  return stream_of(stream).kernels().embedding_backward(stream, dw, dy, ids_i32, tokens, vocab, width, dtype);
}

int g4_rmsnorm(g4_stream stream, g4_ptr y, g4_cptr x, g4_cptr w, int64_t rows, int64_t width, float eps, int dtype) {
  return stream_of(stream).kernels().rmsnorm(stream, y, x, w, rows, width, eps, dtype);
}

int g4_add_rmsnorm(g4_stream stream, g4_ptr y, g4_ptr x, g4_cptr delta, g4_cptr w, int64_t rows, int64_t width, float eps, int dtype) {
  return stream_of(stream).kernels().add_rmsnorm(stream, y, x, delta, w, rows, width, eps, dtype);
}

int64_t g4_rmsnorm_backward_workspace(int64_t, int64_t) { return 0; }

int g4_rmsnorm_backward(g4_stream stream, g4_ptr dx, g4_ptr dw, g4_cptr dy, g4_cptr x, g4_cptr w, g4_ptr workspace, int64_t rows, int64_t width, float eps, int accumulate, int dtype) {
  return stream_of(stream).kernels().rmsnorm_backward(stream, dx, dw, dy, x, w, workspace, rows, width, eps, accumulate, dtype);
}

int g4_rope(g4_stream stream, g4_ptr x, g4_cptr cos_sin, g4_cptr positions_i32, int64_t rows, int64_t heads, int64_t head_dim, int64_t row_stride, int inverse, int dtype) {
  return stream_of(stream).kernels().rope(stream, x, cos_sin, positions_i32, rows, heads, head_dim, row_stride, inverse, dtype);
}

int g4_attention(g4_stream stream, g4_ptr o, g4_ptr lse, g4_cptr q, g4_cptr k, g4_cptr v, int64_t q_stride, int64_t kv_stride, g4_cptr cu_seqlens_i32, g4_cptr parents_i32, int64_t segments, int64_t max_seqlen, int64_t heads, int64_t kv_heads, int64_t head_dim, int dtype) {
  return stream_of(stream).kernels().attention(stream, o, lse, q, k, v, q_stride, kv_stride, cu_seqlens_i32, parents_i32, segments, max_seqlen, heads, kv_heads, head_dim, dtype);
}

int g4_attention_backward(g4_stream stream, g4_ptr dq, g4_ptr dk, g4_ptr dv, g4_cptr d_o, g4_cptr o, g4_cptr lse, g4_cptr q, g4_cptr k, g4_cptr v, int64_t q_stride, int64_t kv_stride, g4_cptr cu_seqlens_i32, g4_cptr parents_i32, g4_ptr workspace, g4_cptr workspace_rows_i32, int64_t segments, int64_t max_seqlen, int64_t heads, int64_t kv_heads, int64_t head_dim, int dtype) {
  return stream_of(stream).kernels().attention_backward(stream, dq, dk, dv, d_o, o, lse, q, k, v, q_stride, kv_stride, cu_seqlens_i32, parents_i32, workspace, workspace_rows_i32, segments, max_seqlen, heads, kv_heads, head_dim, dtype);
}

int g4_kv_append(g4_stream stream, g4_ptr k_cache, g4_ptr v_cache, g4_cptr k, g4_cptr v, int64_t kv_stride, g4_cptr slots_i32, int64_t tokens, int64_t kv_heads, int64_t head_dim, int dtype) {
  return stream_of(stream).kernels().kv_append(stream, k_cache, v_cache, k, v, kv_stride, slots_i32, tokens, kv_heads, head_dim, dtype);
}

int g4_attention_paged(g4_stream stream, g4_ptr o, g4_cptr q, int64_t q_stride, g4_cptr k_cache, g4_cptr v_cache, g4_cptr block_table_i32, int64_t max_blocks, g4_cptr cu_q_i32, g4_cptr kv_lens_i32, int64_t sequences, int64_t heads, int64_t kv_heads, int64_t head_dim, int dtype) {
  return stream_of(stream).kernels().attention_paged(stream, o, q, q_stride, k_cache, v_cache, block_table_i32, max_blocks, cu_q_i32, kv_lens_i32, sequences, heads, kv_heads, head_dim, dtype);
}

int g4_swiglu(g4_stream stream, g4_ptr y, g4_cptr gate_up, int64_t rows, int64_t width, int dtype) {
  return stream_of(stream).kernels().swiglu(stream, y, gate_up, rows, width, dtype);
}

int g4_swiglu_backward(g4_stream stream, g4_ptr d_gate_up, g4_ptr y, g4_cptr dy, g4_cptr gate_up, int64_t rows, int64_t width, int dtype) {
  return stream_of(stream).kernels().swiglu_backward(stream, d_gate_up, y, dy, gate_up, rows, width, dtype);
}

int g4_logprob(g4_stream stream, g4_ptr logprob, g4_ptr entropy, g4_ptr lse, g4_cptr logits, g4_cptr targets_i32, int64_t rows, int64_t vocab, float inv_temperature) {
  return stream_of(stream).kernels().logprob(stream, logprob, entropy, lse, logits, targets_i32, rows, vocab, inv_temperature);
}

int g4_logprob_backward(g4_stream stream, g4_ptr logits, g4_cptr d_logprob, g4_cptr d_entropy, g4_cptr targets_i32, int64_t rows, int64_t vocab, float inv_temperature) {
  return stream_of(stream).kernels().logprob_backward(stream, logits, d_logprob, d_entropy, targets_i32, rows, vocab, inv_temperature);
}

int g4_kl(g4_stream stream, g4_ptr kl, g4_cptr logits, g4_cptr ref_logits, int64_t rows, int64_t vocab, float inv_temperature) {
  return stream_of(stream).kernels().kl(stream, kl, logits, ref_logits, rows, vocab, inv_temperature);
}

int g4_kl_backward(g4_stream stream, g4_ptr ref_logits, g4_cptr logits, g4_cptr d_kl, int64_t rows, int64_t vocab, float inv_temperature) {
  return stream_of(stream).kernels().kl_backward(stream, ref_logits, logits, d_kl, rows, vocab, inv_temperature);
}

int g4_policy_loss(g4_stream stream, g4_ptr logprob, g4_ptr entropy, g4_ptr d_logprob, g4_ptr logits, g4_cptr targets_i32, g4_cptr weight, g4_cptr advantage, g4_cptr old_logprob, g4_cptr ref_logprob, g4_cptr clip_low, g4_cptr clip_high, int64_t rows, int64_t vocab, float inv_temperature, const g4_token_loss* settings) {
  return stream_of(stream).kernels().policy_loss(stream, logprob, entropy, d_logprob, logits, targets_i32, weight, advantage, old_logprob, ref_logprob, clip_low, clip_high, rows, vocab, inv_temperature, settings);
}

int g4_sample(g4_stream stream, g4_ptr token_i32, g4_ptr logprob, g4_ptr entropy, g4_ptr logits, g4_cptr counters_u32, g4_cptr history_i32, g4_cptr history_start_i32, int64_t rows, int64_t vocab, const g4_sampling* settings) {
  return stream_of(stream).kernels().sample(stream, token_i32, logprob, entropy, logits, counters_u32, history_i32, history_start_i32, rows, vocab, settings);
}

int g4_input_tokens(g4_stream, g4_ptr ids_i32, g4_cptr sampled_i32, g4_cptr from_i32, g4_ptr history_i32, g4_cptr history_at_i32, int64_t rows) {
  int32_t* ids = static_cast<int32_t*>(ids_i32);
  int32_t* history = static_cast<int32_t*>(history_i32);
  const int32_t* sampled = static_cast<const int32_t*>(sampled_i32);
  const int32_t* from = static_cast<const int32_t*>(from_i32);
  const int32_t* history_at = static_cast<const int32_t*>(history_at_i32);
  for (int64_t row = 0; row < rows; row++) {
    ids[row] = from[row] >= 0 ? sampled[from[row]] : -1 - from[row];
    if (history != nullptr && history_at[row] >= 0) history[history_at[row]] = ids[row];
  }
  return G4_OK;
}

int g4_filtered_probs(g4_stream stream, g4_ptr probs, g4_ptr logits, g4_cptr history_i32, g4_cptr history_start_i32, int64_t rows, int64_t vocab, const g4_sampling* settings) {
  return stream_of(stream).kernels().filtered_probs(stream, probs, logits, history_i32, history_start_i32, rows, vocab, settings);
}

int64_t g4_sum_squares_workspace(int64_t) { return 0; }

int g4_sum_squares(g4_stream stream, g4_ptr out_f64, g4_cptr grad, g4_ptr workspace, int64_t count) {
  return stream_of(stream).kernels().sum_squares(stream, out_f64, grad, workspace, count);
}

int g4_adamw(g4_stream stream, g4_ptr weight, int weight_dtype, int packed, g4_ptr master, g4_ptr m, g4_ptr v, g4_cptr grad, int64_t count, const g4_adamw_settings* settings) {
  return stream_of(stream).kernels().adamw(stream, weight, weight_dtype, packed, master, m, v, grad, count, settings);
}

int g4_peak_multiply_add(g4_stream stream, int64_t iterations, int dtype, double* operations) {
  return stream_of(stream).kernels().peak_multiply_add(stream, iterations, dtype, operations);
}

int g4_peak_read(g4_stream stream, g4_cptr src, int64_t bytes) {
  return stream_of(stream).kernels().peak_read(stream, src, bytes);
}

}  // extern "C"
