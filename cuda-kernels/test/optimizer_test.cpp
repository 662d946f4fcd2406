// AdamW on the device and streamed from the host, and the gradient's norm, on the emulation: against double references, the bits
// of the CPU kernel, the same bits in every thread order; and without each of their barriers and guards in turn.
#include "optimizer_cases.h"

using namespace g4::test;

int main() {
  const std::vector<Case> cases = optimizer_cases();
  test_values(cases);
  test_mutations(cases);
  return finish("cuda optimizer_test");
}
