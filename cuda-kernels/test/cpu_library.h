// The CPU back end beside the CUDA one. Both export the names of ops.h, so the CPU's library is opened by hand.
#pragma once

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

#include "grpo4j/ops.h"

namespace g4::test {

struct CpuLibrary {
  decltype(&g4_stream_isa) isa;
  decltype(&g4_sample) sample;
  decltype(&g4_filtered_probs) filtered_probs;
  decltype(&g4_logprob) logprob;
  decltype(&g4_policy_loss) policy_loss;
  decltype(&g4_adamw) adamw;
  decltype(&g4_sum_squares) sum_squares;
  g4_stream stream = nullptr;

  // Its products and sums are fused, as a GPU's are.
  bool fuses() const { return isa(stream) != G4_ISA_BASELINE; }
};

inline const CpuLibrary& cpu() {
  static const CpuLibrary library = [] {
    void* handle = dlopen(GRPO4J_CPU_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      std::printf("%s\n", dlerror());
      std::exit(1);
    }
    CpuLibrary l;
    const auto find = [&](auto& function, const char* name) { function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(handle, name)); };
    find(l.isa, "g4_stream_isa");
    find(l.sample, "g4_sample");
    find(l.filtered_probs, "g4_filtered_probs");
    find(l.logprob, "g4_logprob");
    find(l.policy_loss, "g4_policy_loss");
    find(l.adamw, "g4_adamw");
    find(l.sum_squares, "g4_sum_squares");
    decltype(&g4_stream_create) create;
    find(create, "g4_stream_create");
    if (create(1, G4_ISA_BEST, &l.stream) != G4_OK) std::exit(1);
    return l;
  }();
  return library;
}

}  // namespace g4::test
