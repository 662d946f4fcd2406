#define G4_ISA avx2
#include "simd/avx2.h"
#include "kernels/table.h"

const g4::KernelTable& g4::avx2_kernels() {
  static const KernelTable table = avx2::make_table();
  return table;
}
