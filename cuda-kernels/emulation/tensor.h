// The tensor-core instructions of a warp: mma.m16n8k16 and ldmatrix. Lane l has g = l / 4 and t = l % 4; the low half of a
// register is the even index (PTX ISA, "Matrix Fragments for mma.m16n8k16" and "ldmatrix").
//
// Tensor cores do not sum as IEEE arithmetic does, and differ between generations (Fasi et al. 2021, PeerJ CS e330). So there
// are two twins, and a kernel's tolerances must hold for both: one sums exactly and rounds once; the other aligns all terms
// to the largest, cuts off what lies below 2^-24 of it, and cuts again instead of rounding.
#pragma once

#include <cstdint>

#include "sites.h"

namespace g4::emulation {

struct MmaOperands {
  float* d;           // 4: the sums, in and out
  const uint32_t* a;  // 4
  uint32_t b[2];
  bool half;  // fp16, else bf16
};

void mma_16816(MmaOperands operands, Site site);

struct MatrixRows {
  uint32_t* registers;  // 4
  const void* row;      // lanes 8 j ... 8 j + 7: the rows of matrix j
  bool transposed;
  const unsigned char* read[4][2] = {};  // after the operation: where the two halves of each register came from
};

// Four 8 x 8 matrices of 16-bit elements from shared memory.
void ldmatrix_x4(MatrixRows rows, Site site);

// How many of its own extra passes ldmatrix needed since the start: rows of one matrix in the same banks.
uint64_t& bank_conflicts();

// 2^x as ex2.approx gives it: off by up to 2 ulp in the truncating twin, exact at 0.
float ex2(float x);

}  // namespace g4::emulation
