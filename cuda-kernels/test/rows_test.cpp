// RMSNorm, rotary embeddings, SwiGLU, column sums and the embedding on the emulation: against double references, with the same bits in
// every thread order; and without each of their barriers and guards in turn, which must not stay unnoticed.
#include "row_cases.h"

using namespace g4::test;
namespace emulation = g4::emulation;

namespace {

void test_refusals() {
  const Tensor x(Doubles(8, 1.0), G4_F32);
  check(g4_rmsnorm(nullptr, x.data(), x.data(), x.data(), 1, 8, 1e-5f, G4_I32) == G4_UNSUPPORTED, "whole numbers have no norm");
  check(g4_rmsnorm_backward(nullptr, x.data(), x.data(), x.data(), x.data(), x.data(), nullptr, 1, 100000, 1e-5f, 0, G4_F32) == G4_UNSUPPORTED,
        "a row of dw must fit in shared memory");
  check(g4_swiglu(nullptr, x.data(), x.data(), 0, 4, G4_F32) == G4_OK, "no rows, no work");
  check(g4_cuda_column_sums(nullptr, x.data(), x.data(), nullptr, 0, 8, G4_BF16) == G4_OK, "no rows, no sums");
  check(g4_cuda_column_sums(nullptr, x.data(), x.data(), x.data(), 1, 8, G4_I32) == G4_UNSUPPORTED, "sums of whole numbers are not wanted");
}

}  // namespace

int main() {
  const std::vector<Case> cases = row_cases();
  test_values(cases);
  test_mutations(cases);
  test_refusals();
  return finish("cuda rows_test");
}
