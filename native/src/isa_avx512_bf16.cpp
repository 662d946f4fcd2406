#define G4_ISA avx512_bf16
#define G4_HAS_DPBF16 1
#include "simd/avx512.h"
#include "kernels/table.h"

const g4::KernelTable& g4::avx512_bf16_kernels() {
  static const KernelTable table = avx512_bf16::make_table();
  return table;
}
