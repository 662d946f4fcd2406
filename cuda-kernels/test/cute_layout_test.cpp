// The emulated tensor cores against NVIDIA's own description of their fragments: the layouts of CuTe (CUTLASS headers).
#include "cute_layouts.h"
#include "device_tensor.h"

using namespace g4::test;
using namespace g4::cuda;
namespace emulation = g4::emulation;

namespace {

namespace cute = cute_layouts;

// d += a b^T with a [16, 16], b [8, 16], d [16, 8], all column-major; each lane takes the elements that CuTe gives it.
__global__ void mma_kernel(float* d, const bf16* a, const bf16* b) {
  const int lane = int(threadIdx.x);
  const auto pair = [](bf16 low, bf16 high) { return uint32_t(low.bits) | uint32_t(high.bits) << 16; };
  uint32_t left[4], right[2];
  for (int r = 0; r < 4; r++) left[r] = pair(a[cute::mma_a(lane, 2 * r)], a[cute::mma_a(lane, 2 * r + 1)]);
  for (int r = 0; r < 2; r++) right[r] = pair(b[cute::mma_b(lane, 2 * r)], b[cute::mma_b(lane, 2 * r + 1)]);
  float sums[4];
  for (int i = 0; i < 4; i++) sums[i] = d[cute::mma_c(lane, i)];
  mma_16816<false>(sums, left, right[0], right[1]);
  for (int i = 0; i < 4; i++) d[cute::mma_c(lane, i)] = sums[i];
}

void test_mma() {
  const Tensor a(normal(256), G4_BF16), b(normal(128), G4_BF16), d(normal(128), G4_F32);
  const Doubles as = a.get(), bs = b.get(), before = d.get();
  launch(mma_kernel, dim3(1), dim3(32), 0, nullptr, static_cast<float*>(d.data()), static_cast<const bf16*>(a.data()), static_cast<const bf16*>(b.data()));
  const Doubles after = d.get();
  for (int m = 0; m < 16; m++)
    for (int n = 0; n < 8; n++) {
      double sum = before[size_t(m + n * 16)];
      for (int k = 0; k < 16; k++) sum += as[size_t(m + k * 16)] * bs[size_t(n + k * 8)];
      check(float(sum) == float(after[size_t(m + n * 16)]), "mma by CuTe's layouts");
    }
}

template <bool kTransposed>
__global__ void ldmatrix_kernel(uint16_t* out) {
  G4_DYNAMIC_SHARED(uint16_t, shared);
  const int lane = int(threadIdx.x);
  for (int i = 0; i < 8; i++) shared[lane * 8 + i] = uint16_t(lane * 8 + i);
  __syncthreads();
  uint32_t registers[4];
  ldmatrix_x4<kTransposed>(registers, shared + lane * 8);
  for (int i = 0; i < 8; i++) out[lane * 8 + i] = uint16_t(registers[i / 2] >> i % 2 * 16);
}

// Element i of a lane is, by CuTe, bits [16 i, 16 i + 16) of its destination, which come from that bit of the 32 rows.
template <bool kTransposed>
void test_ldmatrix(const char* name) {
  const Tensor memory(256, G4_BF16);
  launch(ldmatrix_kernel<kTransposed>, dim3(1), dim3(32), 512, nullptr, static_cast<uint16_t*>(memory.data()));
  const uint16_t* out = static_cast<const uint16_t*>(memory.host());
  for (int lane = 0; lane < 32; lane++)
    for (int i = 0; i < 8; i++) check(out[lane * 8 + i] * 16 == (kTransposed ? cute::ldmatrix_transposed(lane, i * 16) : cute::ldmatrix(lane, i * 16)), name);
}

}  // namespace

int main() {
  test_mma();
  test_ldmatrix<false>("ldmatrix by CuTe's layout");
  test_ldmatrix<true>("transposed ldmatrix by CuTe's layout");
  check(status() == G4_OK && emulation::error().empty(), emulation::error());
  return finish("cuda cute_layout_test");
}
