// NVIDIA's fragment layouts as plain functions: CuTe's headers and the emulation both define the words of CUDA, so they cannot
// meet in one file.
#pragma once

namespace g4::test::cute_layouts {

// Column-major index of value v of a lane: in a [16, 16], b [8 (n), 16 (k)], c [16, 8].
int mma_a(int lane, int v);
int mma_b(int lane, int v);
int mma_c(int lane, int v);

// The bit, among 32 rows of 128 bits, that a bit of a lane's four registers comes from.
int ldmatrix(int lane, int bit);
int ldmatrix_transposed(int lane, int bit);

}  // namespace g4::test::cute_layouts
