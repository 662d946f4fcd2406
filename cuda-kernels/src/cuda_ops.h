// Entries that only the CUDA library has, beside those of grpo4j/ops.h.
#pragma once

#include "grpo4j/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

/* g4_attention_paged with two hints that change no bit of the result. tokens: rows of q, cu_q[sequences]; it lets calls with many
 * rows a sequence (prompts) take the kernel of g4_attention. workspace f32, of any size in bytes (256-byte aligned, overwritten):
 * what is computed once for sequences that share cache blocks, or split over blocks because the batch is small, is put there;
 * tokens * heads * (head_dim + 8) * 4 bytes serve 64 positions. */
G4_API int g4_cuda_attention_paged(g4_stream stream, g4_ptr o, g4_cptr q, int64_t q_stride, g4_cptr k_cache, g4_cptr v_cache, g4_cptr block_table_i32, int64_t max_blocks, g4_cptr cu_q_i32, g4_cptr kv_lens_i32, int64_t sequences, int64_t tokens, int64_t heads, int64_t kv_heads, int64_t head_dim, int dtype, g4_ptr workspace, int64_t workspace_bytes);

/* Where packed sequences lie, as cuDNN wants it told: lengths i32 [slots], 0 beyond the sequences, and the first element of each
 * in tensors of columns0, columns1 and columns2 columns: offsets i64 [3] of slots + 1, offsets_stride elements apart. */
G4_API int g4_cuda_sequence_slots(g4_stream stream, g4_ptr lengths_i32, g4_ptr offsets_i64, int64_t offsets_stride, g4_cptr cu_seqlens_i32, int64_t sequences, int64_t slots, int64_t columns0, int64_t columns1, int64_t columns2);

/* sums f32 [columns] += column sums of x [rows, columns], in a fixed order: what g4_linear_backward_weight does to dbias. */
G4_API int64_t g4_cuda_column_sums_workspace(int64_t rows, int64_t columns);
G4_API int g4_cuda_column_sums(g4_stream stream, g4_ptr sums_f32, g4_cptr x, g4_ptr workspace, int64_t rows, int64_t columns, int dtype);

#ifdef __cplusplus
}
#endif
