// Log-probs, entropy and the policy loss on the emulation: against double references and the CPU kernels, with the same bits in
// every thread order; and without each of their barriers and guards in turn, which must not stay unnoticed.
#include "logit_cases.h"

using namespace g4::test;
namespace emulation = g4::emulation;

int main() {
  const std::vector<Case> cases = logit_cases();
  test_values(cases);
  test_mutations(cases);
  if (!emulation::kSanitized) test_values(wide_logit_cases());
  return finish("cuda logits_test");
}
