// RMSNorm, rotary embeddings, SwiGLU and the embedding on the emulation: against double references, with the same bits in
// every thread order; and without each of their barriers in turn, which must not stay unnoticed.
#include "row_cases.h"

using namespace g4::test;
namespace emulation = g4::emulation;

namespace {

void test_values(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    Outputs first;
    for (const Run& run : runs()) {
      use(run);
      const Outputs out = c.run();
      check(out.status == G4_OK && emulation::error().empty(), c.name + ": " + emulation::error());
      emulation::clear_error();
      if (first.all.empty()) first = out;
      for (size_t i = 0; i < out.all.size(); i++)
        check(out.all[i].bits == first.all[i].bits, c.name + " " + out.all[i].name + ": other bits in another thread order");
    }
    for (size_t i = 0; i < first.all.size(); i++) {
      const double error = relative(first.all[i].values, c.expected[i].values);
      check(error <= c.expected[i].tolerance, c.name + " " + first.all[i].name + ": off by " + std::to_string(error));
    }
  }
}

// True if some case fails or changes its bits in some thread order.
bool noticed(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    for (const Run& run : runs()) {
      use(run);
      const Outputs out = c.run();
      bool wrong = out.status != G4_OK || !emulation::error().empty();
      emulation::clear_error();
      for (size_t i = 0; i < out.all.size(); i++) wrong = wrong || !(relative(out.all[i].values, c.expected[i].values) <= c.expected[i].tolerance);
      if (wrong) return true;
    }
  }
  return false;
}

void test_mutations(const std::vector<Case>& cases) {
  const std::set<std::string> sites = emulation::barrier_sites().names();
  check(sites.size() == 3, "the row kernels have 3 barriers, seen " + std::to_string(sites.size()));
  for (const std::string& site : sites) {
    emulation::barrier_sites().drop(site);
    check(noticed(cases), "nobody noticed that the barrier at " + site + " is missing");
  }
  emulation::barrier_sites().drop("");
}

void test_refusals() {
  const Tensor x(Doubles(8, 1.0), G4_F32);
  check(g4_rmsnorm_backward(nullptr, x.data(), x.data(), x.data(), x.data(), x.data(), 1, 100000, 1e-5f, 0, G4_F32) == G4_UNSUPPORTED,
        "a row of dw must fit in shared memory");
  check(g4_swiglu(nullptr, x.data(), x.data(), 0, 4, G4_F32) == G4_OK, "no rows, no work");
}

}  // namespace

int main() {
  const std::vector<Case> cases = row_cases();
  test_values(cases);
  test_mutations(cases);
  test_refusals();
  return finish("cuda rows_test");
}
