#include "emulated_bf16.h"

#include <immintrin.h>

namespace {

// Intel's definition: the odd elements' product is added first, then the even ones', each rounded once. (The instruction
// also flushes subnormals, which the tests' numbers avoid.) Element by element and from the raw bits, so that it shares
// nothing with the vector code that it checks.
__m512 emulated_dpbf16(__m512 acc, __m512bh a, __m512bh b) {
  alignas(64) float sums[16];
  alignas(64) uint16_t x[32], y[32];
  _mm512_store_ps(sums, acc);
  _mm512_store_si512(x, reinterpret_cast<__m512i&>(a));
  _mm512_store_si512(y, reinterpret_cast<__m512i&>(b));
  const auto number = [](uint16_t bits) {
    const uint32_t word = uint32_t(bits) << 16;
    float f;
    __builtin_memcpy(&f, &word, sizeof f);
    return f;
  };
  for (int i = 0; i < 16; i++) {
    sums[i] = __builtin_fmaf(number(x[2 * i + 1]), number(y[2 * i + 1]), sums[i]);
    sums[i] = __builtin_fmaf(number(x[2 * i]), number(y[2 * i]), sums[i]);
  }
  return _mm512_load_ps(sums);
}

}  // namespace

#define G4_ISA emulated_bf16
#define G4_HAS_DPBF16 1
#define G4_DPBF16_PS emulated_dpbf16
#include "simd/avx512.h"
#include "kernels/table.h"

bool emulation_runs_here() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq");
}

const g4::KernelTable& emulated_bf16_kernels() {
  static const g4::KernelTable table = g4::emulated_bf16::make_table();
  return table;
}
