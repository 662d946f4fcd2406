// Sampling on the emulation: Philox against its published vectors, tokens against the CPU kernels', distributions against a sort
// in double, the same bits in every thread order; and without each of the kernels' barriers and guards in turn.
#include "philox.cuh"
#include "sampling_cases.h"

using namespace g4::test;
namespace emulation = g4::emulation;

namespace {

void test_philox() {
  using g4::cuda::philox4x32;
  const auto is = [](g4::cuda::PhiloxWords out, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    return out.w[0] == a && out.w[1] == b && out.w[2] == c && out.w[3] == d;
  };
  // kat_vectors of Random123.
  check(is(philox4x32({{0, 0, 0, 0}}, 0, 0), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8), "philox of zeros");
  check(is(philox4x32({{~0u, ~0u, ~0u, ~0u}}, ~0u, ~0u), 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd), "philox of ones");
  check(is(philox4x32({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0), 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1), "philox of pi");
}

void test_refusals() {
  const Tensor x(Doubles(8, 1.0), G4_F32);
  const g4_sampling s = sampling(1);
  check(g4_sample(nullptr, x.data(), nullptr, nullptr, x.data(), x.data(), nullptr, nullptr, 1, int64_t(1) << 21, &s) == G4_UNSUPPORTED, "two million ids");
  check(g4_sample(nullptr, x.data(), nullptr, nullptr, x.data(), x.data(), nullptr, nullptr, 0, 8, &s) == G4_OK, "no rows, no work");
}

}  // namespace

int main() {
  test_philox();
  if (emulation::kSanitized) {
    test_values(short_sampling_cases());
  } else {
    test_values(sampling_cases());
    test_mutations(short_sampling_cases());
    test_values(wide_sampling_cases());
  }
  test_refusals();
  return finish("cuda sampling_test");
}
