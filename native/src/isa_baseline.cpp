#define G4_ISA baseline
#include "simd/baseline.h"
#include "kernels/table.h"

const g4::KernelTable& g4::baseline_kernels() {
  static const KernelTable table = baseline::make_table();
  return table;
}
