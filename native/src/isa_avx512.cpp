#define G4_ISA avx512
#include "simd/avx512.h"
#include "kernels/table.h"

const g4::KernelTable& g4::avx512_kernels() {
  static const KernelTable table = avx512::make_table();
  return table;
}
