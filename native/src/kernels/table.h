// All kernels of one instruction set, gathered in the table that dispatch.cpp calls through.
#pragma once

#include "kernel_table.h"
#include "kernels/attention.h"
#include "kernels/attention_backward.h"
#include "kernels/attention_paged.h"
#include "kernels/logprob.h"
#include "kernels/norm.h"
#include "kernels/policy_loss.h"
#include "kernels/rope.h"
#include "kernels/sampling.h"
#include "kernels/swiglu.h"
#include "stream.h"

namespace g4::G4_ISA {

inline KernelTable make_table() {
  KernelTable t;
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
  t.policy_loss = policy_loss;
  t.sample = sample;
  t.filtered_probs = filtered_probs;
  return t;
}

}  // namespace g4::G4_ISA
