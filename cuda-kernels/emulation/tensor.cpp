#include "tensor.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "block.h"
#include "emulation.h"
#include "half.h"
#include "sanitizer.h"

namespace g4::emulation {

namespace {

double value(uint32_t pair, int index, bool half) {
  const uint16_t bits = uint16_t(index == 0 ? pair : pair >> 16);
  return half ? double(f16_value(bits)) : double(bf16_to_float(bits));
}

float toward_zero(double x) {
  const float rounded = float(x);
  return std::isfinite(rounded) && std::fabs(double(rounded)) > std::fabs(x) ? std::nextafterf(rounded, 0.0f) : rounded;
}

// The 16 products and the sum so far, all exact in double.
float sum_of(const double* terms, int count) {
  double sum = 0;
  if (!options().truncating_tensor_cores) {
    for (int i = 0; i < count; i++) sum += terms[i];
    return float(sum);
  }
  double largest = 0;
  for (int i = 0; i < count; i++) {
    if (!std::isfinite(terms[i])) {
      for (int k = 0; k < count; k++) sum += terms[k];
      return float(sum);
    }
    largest = std::max(largest, std::fabs(terms[i]));
  }
  if (largest == 0) return 0.0f;
  const double grid = std::ldexp(1.0, std::ilogb(largest) - 24);
  for (int i = 0; i < count; i++) sum += std::trunc(terms[i] / grid) * grid;
  return toward_zero(sum);
}

void multiply(void* const* lanes) {
  double a[16][16], b[16][8];
  for (int lane = 0; lane < 32; lane++) {
    const MmaOperands& its = *static_cast<const MmaOperands*>(lanes[lane]);
    const int g = lane / 4, t = lane % 4;
    for (int r = 0; r < 4; r++)
      for (int e = 0; e < 2; e++) a[g + r % 2 * 8][t * 2 + r / 2 * 8 + e] = value(its.a[r], e, its.half);
    for (int r = 0; r < 2; r++)
      for (int e = 0; e < 2; e++) b[t * 2 + r * 8 + e][g] = value(its.b[r], e, its.half);
  }
  for (int lane = 0; lane < 32; lane++) {
    float* d = static_cast<const MmaOperands*>(lanes[lane])->d;
    for (int i = 0; i < 4; i++) {
      const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
      double terms[17];
      for (int k = 0; k < 16; k++) terms[k] = a[row][k] * b[k][column];
      terms[16] = double(d[i]);
      d[i] = sum_of(terms, 17);
    }
  }
}

void load_matrices(void* const* lanes) {
  uint16_t matrices[4][8][8];
  for (int lane = 0; lane < 32; lane++) std::memcpy(matrices[lane / 8][lane % 8], static_cast<const MatrixRows*>(lanes[lane])->row, 16);
  for (int j = 0; j < 4; j++) {
    int rows_of_slot[8] = {};  // a row is 16 bytes; shared memory gives 128 a cycle, one row for each slot
    for (int i = 0; i < 8; i++) rows_of_slot[reinterpret_cast<uintptr_t>(static_cast<const MatrixRows*>(lanes[j * 8 + i])->row) / 16 % 8]++;
    bank_conflicts() += uint64_t(*std::max_element(rows_of_slot, rows_of_slot + 8) - 1);
  }
  for (int lane = 0; lane < 32; lane++) {
    MatrixRows& its = *static_cast<MatrixRows*>(lanes[lane]);
    for (int j = 0; j < 4; j++) {
      its.registers[j] = 0;
      for (int half = 0; half < 2; half++) {
        const int pair = lane % 4 * 2 + half, row = its.transposed ? pair : lane / 4, column = its.transposed ? lane / 4 : pair;
        its.registers[j] |= uint32_t(matrices[j][row][column]) << 16 * half;
        its.read[j][half] = static_cast<const unsigned char*>(static_cast<const MatrixRows*>(lanes[j * 8 + row])->row) + 2 * column;
      }
    }
  }
}

}  // namespace

void mma_16816(MmaOperands operands, Site site) {
  Block::current().meet({Meeting::kMatrix, site, 0xffffffffu, 0, 0, multiply, &operands});
}

void ldmatrix_x4(MatrixRows rows, Site site) {
  if (reinterpret_cast<uintptr_t>(rows.row) % 16 != 0) return fail(Block::current().who() + ", in ldmatrix at " + site.name() + ", has a row address that is no multiple of 16");
  {
    const Unwatched unwatched;
    if (transpose_sites().dropped(site)) rows.transposed = !rows.transposed;
  }
  Block::current().note_read(rows.row);
  Block::current().meet({Meeting::kMatrix, site, 0xffffffffu, 0, 0, load_matrices, &rows});
  for (const auto& halves : rows.read)
    for (const unsigned char* half : halves) report_read(half, 2);
}

uint64_t& bank_conflicts() {
  static uint64_t count = 0;
  return count;
}

float ex2(float x) {
  float result = std::exp2(x);
  if (!options().truncating_tensor_cores || x == 0.0f || !std::isnormal(result)) return result;
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const int ulps = int(bits * 2654435761u >> 16) % 5 - 2;
  for (int i = 0; i < std::abs(ulps); i++) result = std::nextafterf(result, ulps < 0 ? 0.0f : INFINITY);
  return result;
}

}  // namespace g4::emulation
