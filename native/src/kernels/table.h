// All kernels of one instruction set, gathered in the table that dispatch.cpp calls through.
#pragma once

#include "kernel_table.h"
#include "kernels/attention.h"
#include "kernels/attention_backward.h"
#include "kernels/attention_paged.h"
#include "kernels/ceiling.h"
#include "kernels/elementwise.h"
#include "kernels/embedding.h"
#include "kernels/linear.h"
#include "kernels/kl.h"
#include "kernels/logprob.h"
#include "kernels/norm.h"
#include "kernels/optimizer.h"
#include "kernels/pack.h"
#include "kernels/policy_loss.h"
#include "kernels/rope.h"
#include "kernels/sampling.h"
#include "kernels/swiglu.h"
#include "stream.h"

namespace g4::G4_ISA {

inline KernelTable make_table() {
  KernelTable t;
  t.cast = cast;
  t.add = add;
  t.pack_rows = pack_rows;
  t.unpack_rows = unpack_rows;
  t.cast_packed = cast_packed;
  t.linear = linear;
  t.linear_backward_input = linear_backward_input;
  t.linear_backward_weight = linear_backward_weight;
  t.embedding = embedding;
  t.embedding_backward = embedding_backward;
  t.sum_squares = sum_squares;
  t.adamw = adamw;
  t.rmsnorm = rmsnorm;
  t.add_rmsnorm = add_rmsnorm;
  t.rmsnorm_backward = rmsnorm_backward;
  t.rope = rope;
  t.attention = attention;
  t.attention_backward = attention_backward;
  t.kv_append = kv_append;
  t.attention_paged = attention_paged;
  t.swiglu = swiglu;
  t.swiglu_backward = swiglu_backward;
  t.logprob = logprob;
  t.logprob_backward = logprob_backward;
  t.kl = kl;
  t.kl_backward = kl_backward;
  t.policy_loss = policy_loss;
  t.sample = sample;
  t.filtered_probs = filtered_probs;
  t.peak_multiply_add = peak_multiply_add;
  t.peak_read = peak_read;
  return t;
}

}  // namespace g4::G4_ISA
