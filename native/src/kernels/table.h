// All kernels of one instruction set, gathered in the table that dispatch.cpp calls through.
#pragma once

#include "kernel_table.h"
#include "kernels/elementwise.h"
#include "kernels/embedding.h"
#include "kernels/linear.h"
#include "kernels/optimizer.h"
#include "kernels/pack.h"
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
  return t;
}

}  // namespace g4::G4_ISA
