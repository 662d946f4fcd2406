/* The op catalogue of grpo4j: every numerical operation that a model, a rollout or an update is composed of.
 *
 * One header for both back ends: native/ implements it for CPUs, cuda-kernels/ for NVIDIA GPUs (there the plain
 * matrix products are cuBLAS calls made from Java, so the library leaves those entries out).
 *
 * Rules that hold for every function here
 *   - It takes plain addresses, sizes and a stream; it returns a g4_status; it keeps no state, allocates nothing and
 *     never throws. An op that needs memory of its own takes `workspace`, of as many bytes as g4_<op>_workspace says
 *     (on the CPU 0, and NULL: there the stream has scratch); it may be reused by the next op of the stream. Shapes, types and bounds were checked by the caller (io.github.grpo4j.backend).
 *   - Addresses are device addresses of the back end, 64-byte aligned at the start of each tensor. Matrices are
 *     row-major and dense unless a stride is passed; strides are in elements.
 *   - `dtype` is the storage type of activations and weights: G4_F32, G4_BF16, on a GPU also G4_F16 (the CPU's kernels know it
 *     in conversions only and else answer G4_UNSUPPORTED). Arithmetic, reductions, statistics (log-sum-exp, log-probs, ...) and
 *     weight gradients are fp32 whatever the storage.
 *   - Reductions have a fixed order that depends on the shape of one row only: the bits of a row depend neither on the
 *     number of threads nor on the rows beside it. That is what makes decode and training agree to the bit.
 *
 * Weight matrices [out, in] are stored PACKED, once, for the kernels: panels of 32 output rows, `in` padded to even:
 *     f32:  element (n, k) at  (n / 32) * 32 * K2 + k * 32 + n % 32                      with K2 = in rounded up to even
 *     bf16: element (n, k) at  (n / 32) * 32 * K2 + (k / 2) * 64 + (n % 32) * 2 + k % 2
 * Padding elements are zero and stay zero. Gradients, master weights and optimizer moments of a packed matrix are fp32
 * in the f32 order, so the optimizer walks all of them with one index.
 */
#ifndef GRPO4J_OPS_H
#define GRPO4J_OPS_H

#include <stdint.h>

#if defined(__GNUC__)
#define G4_API __attribute__((visibility("default")))
#else
#define G4_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef void* g4_ptr;        /* device memory that the op writes */
typedef const void* g4_cptr; /* device memory that the op only reads */
typedef void* g4_stream;     /* CPU: a thread pool with its scratch memory; CUDA: a cudaStream_t */

/* status */
enum { G4_OK = 0, G4_UNSUPPORTED = 1, G4_OUT_OF_MEMORY = 2, G4_INTERNAL = 3 };
/* storage types */
enum { G4_F32 = 0, G4_BF16 = 1, G4_F16 = 2, G4_I32 = 3 };
/* instruction sets of the CPU back end, weakest first; G4_ISA_BEST takes the fastest one present,
   for which the speed of bf16 products is measured once, in a millisecond */
enum { G4_ISA_BASELINE = 0, G4_ISA_AVX2 = 1, G4_ISA_AVX512 = 2, G4_ISA_AVX512_BF16 = 3, G4_ISA_BEST = 100 };

/* ---- stream and memory ------------------------------------------------------------------------------------------ */
/* threads >= 1: the pool has threads - 1 workers, the caller is the last one. A waiting thread spins for 200 us, then blocks. */
G4_API int g4_stream_create(int threads, int isa, g4_stream* stream);
G4_API void g4_stream_destroy(g4_stream stream);
G4_API int g4_stream_isa(g4_stream stream);
G4_API g4_ptr g4_alloc(int64_t bytes); /* 64-byte aligned, zeroed; NULL when the machine has no more */
G4_API void g4_free(g4_ptr address, int64_t bytes);
G4_API int g4_fill_zero(g4_stream stream, g4_ptr dst, int64_t bytes);
G4_API int g4_copy(g4_stream stream, g4_ptr dst, g4_cptr src, int64_t bytes);

/* ---- conversions ------------------------------------------------------------------------------------------------ */
/* dst[i] = (dst_dtype) src[i]; types F32, BF16, F16, round to nearest even */
G4_API int g4_cast(g4_stream stream, g4_ptr dst, int dst_dtype, g4_cptr src, int src_dtype, int64_t count);
/* dst[i] += src[i]; both of `dtype` */
G4_API int g4_add(g4_stream stream, g4_ptr dst, g4_cptr src, int64_t count, int dtype);
/* Rows [row0, row0 + rows) of the packed [n, k] weight <- plain row-major [rows, k] of src_dtype. */
G4_API int g4_pack_rows(g4_stream stream, g4_ptr packed, int packed_dtype, g4_cptr src, int src_dtype, int64_t row0, int64_t rows, int64_t n, int64_t k);
/* plain row-major [rows, k] of dst_dtype <- rows [row0, row0 + rows) of the packed [n, k] weight. */
G4_API int g4_unpack_rows(g4_stream stream, g4_ptr dst, int dst_dtype, g4_cptr packed, int packed_dtype, int64_t row0, int64_t rows, int64_t n, int64_t k);
/* packed bf16 (pair order) <- packed fp32 (f32 order): the rounding step after an optimizer update. */
G4_API int g4_cast_packed(g4_stream stream, g4_ptr dst_bf16, g4_cptr src_f32, int64_t n, int64_t k);

/* ---- linear: y = x w^T + bias, w packed [n, k], x [m, k], y [m, n] ------------------------------------------------ */
/* bias, of dtype, may be NULL. accumulate: y += (the residual add of a transformer block). y_dtype is dtype, or F32 for logits. */
G4_API int g4_linear(g4_stream stream, g4_ptr y, int y_dtype, g4_cptr x, g4_cptr w, g4_cptr bias, int64_t m, int64_t n, int64_t k, int accumulate, int dtype);
/* dx [m, k] = dy [m, n] w   (accumulate: +=). dy_dtype is dtype, or F32 for the gradient of logits (rounded to dtype on the way in). */
G4_API int g4_linear_backward_input(g4_stream stream, g4_ptr dx, g4_cptr dy, int dy_dtype, g4_cptr w, int64_t m, int64_t n, int64_t k, int accumulate, int dtype);
/* dw (packed f32 [n, k]) += dy^T x;  dbias (f32 [n], may be NULL) += column sums of dy */
G4_API int g4_linear_backward_weight(g4_stream stream, g4_ptr dw, g4_ptr dbias, g4_cptr dy, int dy_dtype, g4_cptr x, int64_t m, int64_t n, int64_t k, int dtype);

/* ---- embedding: the packed [vocab, width] matrix also serves the tied head ----------------------------------------- */
G4_API int g4_embedding(g4_stream stream, g4_ptr y, g4_cptr w, g4_cptr ids_i32, int64_t tokens, int64_t vocab, int64_t width, int dtype);
/* dw (packed f32) += rows of dy, in token order */
G4_API int g4_embedding_backward(g4_stream stream, g4_ptr dw, g4_cptr dy, g4_cptr ids_i32, int64_t tokens, int64_t vocab, int64_t width, int dtype);

/* ---- RMSNorm: y = x * rsqrt(mean(x^2) + eps) * w -------------------------------------------------------------------- */
G4_API int g4_rmsnorm(g4_stream stream, g4_ptr y, g4_cptr x, g4_cptr w, int64_t rows, int64_t width, float eps, int dtype);
/* x += delta, then y = rmsnorm(x): the residual add and the next norm in one pass over memory */
G4_API int g4_add_rmsnorm(g4_stream stream, g4_ptr y, g4_ptr x, g4_cptr delta, g4_cptr w, int64_t rows, int64_t width, float eps, int dtype);
/* dx = (dx if accumulate) + d rmsnorm; dw (f32 [width]) += */
G4_API int64_t g4_rmsnorm_backward_workspace(int64_t rows, int64_t width);
G4_API int g4_rmsnorm_backward(g4_stream stream, g4_ptr dx, g4_ptr dw, g4_cptr dy, g4_cptr x, g4_cptr w, g4_ptr workspace, int64_t rows, int64_t width, float eps, int accumulate, int dtype);

/* ---- rotary embeddings, half-rotation layout, in place -------------------------------------------------------------- */
/* x: `heads` heads of head_dim side by side in rows of row_stride elements. cos_sin f32 [max_position, head_dim]: the
 * first head_dim / 2 columns are cosines, the rest sines. inverse != 0 applies the transpose (the backward pass). */
G4_API int g4_rope(g4_stream stream, g4_ptr x, g4_cptr cos_sin, g4_cptr positions_i32, int64_t rows, int64_t heads, int64_t head_dim, int64_t row_stride, int inverse, int dtype);

/* ---- attention: causal, grouped-query, scale = head_dim^-0.5 --------------------------------------------------------- */
/* Packed segments: the rows of segment b are cu_seqlens[b] .. cu_seqlens[b + 1]. A segment whose parents[b] is p >= 0 goes on
 * where segment p ends: its rows see all rows of p and their own ones up to themselves. So sequences that begin alike hold
 * the beginning once. parents[p] must be -1 (one level only) and p < b; parents NULL: every segment is a sequence of its own.
 * max_seqlen is the longest sequence, the parent's rows included. q has `heads` heads, k and v `kv_heads`, each in rows of its
 * own stride. o [tokens, heads * head_dim] dense, lse f32 [tokens, heads] (natural log; may be NULL). A row has the same bits
 * whether its sequence lies in one segment or in two. */
G4_API int g4_attention(g4_stream stream, g4_ptr o, g4_ptr lse, g4_cptr q, g4_cptr k, g4_cptr v, int64_t q_stride, int64_t kv_stride, g4_cptr cu_seqlens_i32, g4_cptr parents_i32, int64_t segments, int64_t max_seqlen, int64_t heads, int64_t kv_heads, int64_t head_dim, int dtype);
/* dq has q's stride, dk and dv have kv's; all three are overwritten. The gradient of a parent's keys and values is summed in
 * f32 over the parent and its children, in the order of the segments, and rounded once. For that, workspace f32
 * [rows, 2, kv_heads, head_dim] (dK, dV; overwritten) has as many rows as the parent for each parent and for each child, which
 * begin at workspace_rows[b]; -1 for a sequence of its own. Both are NULL where parents is. */
G4_API int g4_attention_backward(g4_stream stream, g4_ptr dq, g4_ptr dk, g4_ptr dv, g4_cptr d_o, g4_cptr o, g4_cptr lse, g4_cptr q, g4_cptr k, g4_cptr v, int64_t q_stride, int64_t kv_stride, g4_cptr cu_seqlens_i32, g4_cptr parents_i32, g4_ptr workspace, g4_cptr workspace_rows_i32, int64_t segments, int64_t max_seqlen, int64_t heads, int64_t kv_heads, int64_t head_dim, int dtype);
/* Paged KV cache of one layer: blocks of 32 positions. k_cache: [blocks, kv_heads, head_dim, 32] (transposed: one position a
 * lane); v_cache: [blocks, kv_heads, 32, head_dim]. slots[t] = block * 32 + offset of token t, or -1 to skip it. */
G4_API int g4_kv_append(g4_stream stream, g4_ptr k_cache, g4_ptr v_cache, g4_cptr k, g4_cptr v, int64_t kv_stride, g4_cptr slots_i32, int64_t tokens, int64_t kv_heads, int64_t head_dim, int dtype);
/* Query rows cu_q[b] .. cu_q[b + 1] are the LAST rows of sequence b, whose kv_lens[b] positions live in the blocks
 * block_table[b * max_blocks ...]. Row i sees positions <= kv_len - q_len + i. Same bits as g4_attention. */
G4_API int g4_attention_paged(g4_stream stream, g4_ptr o, g4_cptr q, int64_t q_stride, g4_cptr k_cache, g4_cptr v_cache, g4_cptr block_table_i32, int64_t max_blocks, g4_cptr cu_q_i32, g4_cptr kv_lens_i32, int64_t sequences, int64_t heads, int64_t kv_heads, int64_t head_dim, int dtype);

/* ---- SwiGLU: gate_up [rows, 2 * width] = (gate | up), y = silu(gate) * up ----------------------------------------------
 * backward gives y again, with the bits of forward, so that nobody needs to keep it; y may be dy. */
G4_API int g4_swiglu(g4_stream stream, g4_ptr y, g4_cptr gate_up, int64_t rows, int64_t width, int dtype);
G4_API int g4_swiglu_backward(g4_stream stream, g4_ptr d_gate_up, g4_ptr y, g4_cptr dy, g4_cptr gate_up, int64_t rows, int64_t width, int dtype);

/* ---- log-probabilities ---------------------------------------------------------------------------------------------- */
/* Of softmax(logits * inv_temperature) over the whole vocabulary; logits f32 [rows, vocab]. Any output may be NULL. */
G4_API int g4_logprob(g4_stream stream, g4_ptr logprob, g4_ptr entropy, g4_ptr lse, g4_cptr logits, g4_cptr targets_i32, int64_t rows, int64_t vocab, float inv_temperature);
/* logits <- d loss / d logits, given d loss / d logprob and (may be NULL) d loss / d entropy per row. */
G4_API int g4_logprob_backward(g4_stream stream, g4_ptr logits, g4_cptr d_logprob, g4_cptr d_entropy, g4_cptr targets_i32, int64_t rows, int64_t vocab, float inv_temperature);

/* kl[i] f32 = sum_v p(v) (log p(v) - log r(v)) of row i, p of logits and r of ref_logits, both f32 [rows, vocab] and scaled as above. */
G4_API int g4_kl(g4_stream stream, g4_ptr kl, g4_cptr logits, g4_cptr ref_logits, int64_t rows, int64_t vocab, float inv_temperature);
/* ref_logits <- d loss / d logits, given d loss / d kl per row: the gradient of the divergence by the policy's logits is written over
 * the reference's. Rows whose d_kl is 0 become 0. */
G4_API int g4_kl_backward(g4_stream stream, g4_ptr ref_logits, g4_cptr logits, g4_cptr d_kl, int64_t rows, int64_t vocab, float inv_temperature);

/* ---- the policy loss of one token ------------------------------------------------------------------------------------- */
enum { G4_LOSS_LINEAR = 0, G4_LOSS_CLIPPED = 1 };      /* d_logprob given / ratio clipping, see below */
enum { G4_KL_NONE = 0, G4_KL_K1 = 1, G4_KL_K2 = 2, G4_KL_K3 = 3 };
/* Settings that all tokens of a step share. LINEAR: d_logprob[t] = weight[t]. CLIPPED, with r = exp(new - old):
 *   loss_t = weight[t] * ( -min(min(r, ratio_cap) A, clip(r, low[t], high[t]) A), for A < 0 at most dual_clip * |A|
 *                          + kl_coef * kl(new, ref) - entropy_coef * H )
 * ratio_cap and dual_clip are off at +infinity; kl_times_ratio multiplies the KL by r (gradient through both). */
typedef struct g4_token_loss {
  int kind;
  int kl_kind;
  int kl_times_ratio;
  float kl_coef;
  float entropy_coef;
  float ratio_cap;
  float dual_clip;
} g4_token_loss;
/* One pass over logits f32 [rows, vocab]: log-prob and entropy of softmax(logits * inv_temperature), the derivative of the
 * loss above, and logits <- d loss / d logits. old, ref, low, high may be NULL where the settings do not use them (old NULL:
 * on-policy, r = 1 with gradient). Out: logprob, entropy, d_logprob f32 [rows]. A row of weight 0 gets a zero gradient. */
G4_API int g4_policy_loss(g4_stream stream, g4_ptr logprob, g4_ptr entropy, g4_ptr d_logprob, g4_ptr logits, g4_cptr targets_i32, g4_cptr weight, g4_cptr advantage, g4_cptr old_logprob, g4_cptr ref_logprob, g4_cptr clip_low, g4_cptr clip_high, int64_t rows, int64_t vocab, float inv_temperature, const g4_token_loss* settings);

/* ---- sampling ---------------------------------------------------------------------------------------------------------- */
/* Settings of one call; order of the filters: repetition penalty, temperature, top-k, top-p, min-p (that of HF). */
typedef struct g4_sampling {
  float temperature;        /* 0: greedy */
  int top_k;                /* 0: off */
  float top_p;              /* 1: off */
  float min_p;              /* 0: off */
  float repetition_penalty; /* 1: off */
  int vocab_used;           /* ids >= this are padding rows of the head and are never chosen */
  uint64_t seed;            /* key of Philox4x32-10 */
} g4_sampling;
/* logits f32 [rows, vocab], destroyed. counters u32 [rows, 4]: Philox counter (step, problem, answer, position) of each row.
 * history i32: the row's earlier tokens at history_start[r] .. history_start[r + 1] (NULL without penalty); a token that
 * is there twice counts once.
 * Out: token i32, logprob and entropy f32 [rows] of softmax(logits / temperature) (temperature 1 when greedy) over the whole
 * vocabulary, before penalty and filters. */
G4_API int g4_sample(g4_stream stream, g4_ptr token_i32, g4_ptr logprob, g4_ptr entropy, g4_ptr logits, g4_cptr counters_u32, g4_cptr history_i32, g4_cptr history_start_i32, int64_t rows, int64_t vocab, const g4_sampling* settings);
/* The tokens that a step of generation reads, where the host does not know yet what the step before drew:
 * ids[r] = from[r] >= 0 ? sampled[from[r]] : -1 - from[r], and history[history_at[r]] = ids[r] where history_at[r] >= 0 (history and
 * history_at may be NULL). */
G4_API int g4_input_tokens(g4_stream stream, g4_ptr ids_i32, g4_cptr sampled_i32, g4_cptr from_i32, g4_ptr history_i32, g4_cptr history_at_i32, int64_t rows);
/* probs f32 [rows, vocab]: the filtered, renormalised distribution that g4_sample draws from (0 where filtered out). */
G4_API int g4_filtered_probs(g4_stream stream, g4_ptr probs, g4_ptr logits, g4_cptr history_i32, g4_cptr history_start_i32, int64_t rows, int64_t vocab, const g4_sampling* settings);

/* ---- optimizer --------------------------------------------------------------------------------------------------------- */
/* out f64 [2]: sum of squares, number of non-finite elements; added to what is there, in chunks of fixed order. (With a
 * non-finite element the sum is not finite either.) */
G4_API int64_t g4_sum_squares_workspace(int64_t count);
G4_API int g4_sum_squares(g4_stream stream, g4_ptr out_f64, g4_cptr grad, g4_ptr workspace, int64_t count);
typedef struct g4_adamw_settings {
  double beta1, beta2; /* not float: 1 - 0.999f is off by 1.3e-5 */
  float learning_rate, epsilon, weight_decay;
  float bias_correction1, bias_correction2; /* 1 - beta^t */
  float grad_scale;                         /* factor of the global-norm clip */
} g4_adamw_settings;
/* Decoupled weight decay (Loshchilov & Hutter 2017): master *= 1 - lr wd; m, v updated; master -= lr m^ / (sqrt(v^) + eps).
 * All fp32, one index. weight: the storage-type copy that kernels read, rounded from master in the same pass: same order for
 * F32 (may be master itself) and for 1-D parameters, pair order for packed BF16 (packed != 0). F16 is never packed on the CPU,
 * where no kernel reads it: it serves weights that a GPU reads and a CPU updates. */
G4_API int g4_adamw(g4_stream stream, g4_ptr weight, int weight_dtype, int packed, g4_ptr master, g4_ptr m, g4_ptr v, g4_cptr grad, int64_t count, const g4_adamw_settings* settings);

/* ---- what a CPU can do at most (of the CPU back end only; no op of a model) ---------------------------------------------- */
/* Products and sums on registers alone, all threads. Out: how many arithmetic operations that was (a fused product counts 2). */
G4_API int g4_peak_multiply_add(g4_stream stream, int64_t iterations, int dtype, double* operations);
/* Reads `bytes` (a multiple of 1 MiB) once, all threads. */
G4_API int g4_peak_read(g4_stream stream, g4_cptr src, int64_t bytes);

#ifdef __cplusplus
}
#endif
#endif
