// The kernels of one instruction set. Every isa_*.cpp compiles the same templates with its own flags and fills one table.
#pragma once

#include "grpo4j/ops.h"

namespace g4 {

struct KernelTable {
  decltype(&g4_cast) cast = nullptr;
  decltype(&g4_add) add = nullptr;
  decltype(&g4_pack_rows) pack_rows = nullptr;
  decltype(&g4_unpack_rows) unpack_rows = nullptr;
  decltype(&g4_cast_packed) cast_packed = nullptr;
  decltype(&g4_linear) linear = nullptr;
  decltype(&g4_linear_backward_input) linear_backward_input = nullptr;
  decltype(&g4_linear_backward_weight) linear_backward_weight = nullptr;
  decltype(&g4_embedding) embedding = nullptr;
  decltype(&g4_embedding_backward) embedding_backward = nullptr;
  decltype(&g4_rmsnorm) rmsnorm = nullptr;
  decltype(&g4_add_rmsnorm) add_rmsnorm = nullptr;
  decltype(&g4_rmsnorm_backward) rmsnorm_backward = nullptr;
  decltype(&g4_rope) rope = nullptr;
  decltype(&g4_attention) attention = nullptr;
  decltype(&g4_attention_backward) attention_backward = nullptr;
  decltype(&g4_kv_append) kv_append = nullptr;
  decltype(&g4_attention_paged) attention_paged = nullptr;
  decltype(&g4_swiglu) swiglu = nullptr;
  decltype(&g4_swiglu_backward) swiglu_backward = nullptr;
  decltype(&g4_logprob) logprob = nullptr;
  decltype(&g4_logprob_backward) logprob_backward = nullptr;
  decltype(&g4_kl) kl = nullptr;
  decltype(&g4_kl_backward) kl_backward = nullptr;
  decltype(&g4_policy_loss) policy_loss = nullptr;
  decltype(&g4_sample) sample = nullptr;
  decltype(&g4_filtered_probs) filtered_probs = nullptr;
  decltype(&g4_sum_squares) sum_squares = nullptr;
  decltype(&g4_adamw) adamw = nullptr;
  decltype(&g4_peak_multiply_add) peak_multiply_add = nullptr;
  decltype(&g4_peak_read) peak_read = nullptr;
};

const KernelTable& baseline_kernels();
#ifdef G4_X86
const KernelTable& avx2_kernels();
const KernelTable& avx512_kernels();
const KernelTable& avx512_bf16_kernels();
#endif

}  // namespace g4
