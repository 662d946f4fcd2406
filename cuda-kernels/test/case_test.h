// What a test program does with its cases: values against the reference and the same bits in every thread order; then each
// barrier, guard, exchange and mask of the kernels is left out in turn, and some case must notice.
#pragma once

#include <functional>

#include "mutations.h"

namespace g4::test {

struct Output {
  std::string name;
  std::string bits;
  Doubles values;
};

struct Outputs {
  int status = G4_OK;
  std::vector<Output> all;
  void add(const std::string& name, const Tensor& t) { all.push_back({name, t.bits(), t.get()}); }
};

struct Expected {
  Doubles values;
  double tolerance;             // 0: the very values
  bool each = false;            // of |a - b| of each element, not of ||a - b|| / ||b||
};

struct Case {
  std::string name;
  std::function<Outputs()> run;    // may be run any number of times
  std::vector<Expected> expected;  // one for each output
};

inline const char* name_of(int dtype) { return dtype == G4_F32 ? " f32" : dtype == G4_BF16 ? " bf16" : " f16"; }

inline double error_of(const Doubles& got, const Expected& expected) {
  if (!expected.each) return relative(got, expected.values);
  double largest = 0;
  for (size_t i = 0; i < got.size(); i++) {
    const double error = got[i] == expected.values[i] ? 0.0 : std::fabs(got[i] - expected.values[i]);
    if (!(error <= largest)) largest = error;
  }
  return largest;
}

inline void test_values(const std::vector<Case>& cases) {
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
    check(first.all.size() == c.expected.size(), c.name + ": as many outputs as references");
    for (size_t i = 0; i < first.all.size(); i++) {
      const double error = error_of(first.all[i].values, c.expected[i]);
      char text[32];
      std::snprintf(text, sizeof text, "%.3g", error);
      check(error <= c.expected[i].tolerance, c.name + " " + first.all[i].name + ": off by " + text);
    }
  }
}

// True if some case fails or errs in some thread order.
inline bool noticed(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    for (const Run& run : runs()) {
      use(run);
      const Outputs out = c.run();
      bool wrong = out.status != G4_OK || !emulation::error().empty();
      emulation::clear_error();
      for (size_t i = 0; i < out.all.size(); i++) wrong = wrong || !(error_of(out.all[i].values, c.expected[i]) <= c.expected[i].tolerance);
      if (wrong) return true;
    }
  }
  return false;
}

// The sites are those that the cases have reached, so this comes after test_values.
inline void test_mutations(const std::vector<Case>& cases) {
  drop_each_place("", [&] { return noticed(cases); });
}

}  // namespace g4::test
