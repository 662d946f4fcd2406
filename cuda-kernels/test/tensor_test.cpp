// Tensor cores and asynchronous copies of the emulation: mma.m16n8k16 and ldmatrix against plain loops over the layouts of the
// PTX manual, in both numeric twins; cp.async that arrives no earlier than its wait; and the misuse that must be an error.
#include "device_tensor.h"

using namespace g4::test;
using namespace g4::cuda;
namespace emulation = g4::emulation;

namespace {

// d = a b + c from row-major a [16, 16], b [16, 8], c [16, 8]: each lane picks its fragments by hand.
template <class T>
__global__ void mma_kernel(float* d, const T* a, const T* b) {
  const int lane = int(threadIdx.x), g = lane / 4, t = lane % 4;
  const auto pair = [](T low, T high) { return uint32_t(low.bits) | uint32_t(high.bits) << 16; };
  const auto a_pair = [&](int row, int column) { return pair(a[row * 16 + column], a[row * 16 + column + 1]); };
  const auto b_pair = [&](int row) { return pair(b[row * 8 + g], b[(row + 1) * 8 + g]); };
  const uint32_t fragment[4] = {a_pair(g, 2 * t), a_pair(g + 8, 2 * t), a_pair(g, 2 * t + 8), a_pair(g + 8, 2 * t + 8)};
  float sums[4];
  for (int i = 0; i < 4; i++) sums[i] = d[(g + i / 2 * 8) * 8 + 2 * t + i % 2];
  mma_16816<std::is_same_v<T, f16>>(sums, fragment, b_pair(2 * t), b_pair(2 * t + 8));
  for (int i = 0; i < 4; i++) d[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = sums[i];
}

template <class T>
void test_mma(int dtype) {
  const Tensor a(normal(256), dtype), b(normal(128), dtype), d(normal(128), G4_F32);
  const Doubles as = a.get(), bs = b.get(), before = d.get();
  launch(mma_kernel<T>, dim3(1), dim3(32), 0, nullptr, static_cast<float*>(d.data()), static_cast<const T*>(a.data()), static_cast<const T*>(b.data()));
  check(status() == G4_OK && emulation::error().empty(), "mma: " + emulation::error());
  const Doubles after = d.get();
  for (int row = 0; row < 16; row++)
    for (int column = 0; column < 8; column++) {
      double sum = before[row * 8 + column], largest = std::fabs(sum);
      for (int k = 0; k < 16; k++) {
        const double term = as[row * 16 + k] * bs[k * 8 + column];
        sum += term;
        largest = std::max(largest, std::fabs(term));
      }
      const double error = after[row * 8 + column] - sum;
      if (emulation::options().truncating_tensor_cores) {
        check(std::fabs(error) <= 18 * largest * 0x1p-23, "mma, truncating twin");
      } else {
        check(float(sum) == float(after[row * 8 + column]), "mma, exact twin");
      }
    }
}

template <bool kTransposed>
__global__ void ldmatrix_kernel(uint16_t* out) {
  G4_DYNAMIC_SHARED(uint16_t, shared);  // 32 rows of 8 elements, element (row, column) is row * 8 + column
  const int lane = int(threadIdx.x);
  for (int i = 0; i < 8; i++) shared[lane * 8 + i] = uint16_t(lane * 8 + i);
  __syncthreads();
  uint32_t registers[4];
  ldmatrix_x4<kTransposed>(registers, shared + lane * 8);
  for (int j = 0; j < 4; j++) {
    out[(lane * 4 + j) * 2] = uint16_t(registers[j]);
    out[(lane * 4 + j) * 2 + 1] = uint16_t(registers[j] >> 16);
  }
}

template <bool kTransposed>
void test_ldmatrix() {
  const Tensor memory(256, G4_BF16);
  uint16_t* out = static_cast<uint16_t*>(memory.data());
  const uint64_t conflicts = emulation::bank_conflicts();
  launch(ldmatrix_kernel<kTransposed>, dim3(1), dim3(32), 512, nullptr, out);
  out = emulation::view(out);
  check(status() == G4_OK && emulation::error().empty(), "ldmatrix: " + emulation::error());
  check(emulation::bank_conflicts() == conflicts, "rows side by side do not conflict");
  for (int lane = 0; lane < 32; lane++)
    for (int j = 0; j < 4; j++)
      for (int e = 0; e < 2; e++) {
        const int row = kTransposed ? lane % 4 * 2 + e : lane / 4, column = kTransposed ? lane / 4 : lane % 4 * 2 + e;
        check(out[(lane * 4 + j) * 2 + e] == (j * 8 + row) * 8 + column, "ldmatrix");
      }
}

__global__ void conflict_kernel(int*) {
  G4_DYNAMIC_SHARED(uint16_t, shared);
  for (int i = 0; i < 64; i++) shared[threadIdx.x * 64 + i] = 0;
  __syncthreads();
  uint32_t registers[4];
  ldmatrix_x4<false>(registers, shared + threadIdx.x * 64);  // every row in slot 0 of 128 bytes
}

// Adds up its neighbour's four floats, copied two at a time; the last thread has none and gets zeros.
template <bool kWait, bool kBarrier, bool kSecond>
__global__ void copy_kernel(float* out, const float* in) {
  G4_DYNAMIC_SHARED(float, shared);
  const int i = int(threadIdx.x), last = int(blockDim.x) - 1;
  for (int part = 0; part < 2; part++) {
    for (int k = 0; k < 2; k++) cp_async<4>(shared + i * 4 + part * 2 + k, in + i * 4 + part * 2 + k, i < last);
    cp_async_commit();
  }
  if constexpr (kWait) cp_async_wait<kSecond ? 0 : 1>();
  if constexpr (kBarrier) __syncthreads();
  const int next = (i + 1) % (last + 1);
  out[i] = shared[next * 4] + shared[next * 4 + 1];
  if constexpr (kSecond) out[i] += shared[next * 4 + 2] + shared[next * 4 + 3];
  cp_async_wait<0>();
}

template <bool kWait, bool kBarrier, bool kSecond>
bool copies_right() {
  constexpr int kThreads = 64;
  Doubles x(kThreads * 4 - 4);  // the last thread's would be outside
  for (size_t i = 0; i < x.size(); i++) x[i] = double(i);
  const Tensor in(x, G4_F32), out(kThreads, G4_F32);
  launch(copy_kernel<kWait, kBarrier, kSecond>, dim3(1), dim3(kThreads), kThreads * 16, nullptr, static_cast<float*>(out.data()), static_cast<const float*>(in.data()));
  check(status() == G4_OK && emulation::error().empty(), "cp.async: " + emulation::error());
  const Doubles got = out.get();
  bool right = true;
  for (int i = 0; i < kThreads; i++) {
    double sum = 0;
    const int next = (i + 1) % kThreads;
    for (int k = 0; k < (kSecond ? 4 : 2); k++) sum += next == kThreads - 1 ? 0 : x[size_t(next * 4 + k)];
    right = right && got[size_t(i)] == sum;
  }
  return right;
}

__global__ void unwaited_kernel(int* out) {
  G4_DYNAMIC_SHARED(int, shared);
  cp_async<4>(shared + threadIdx.x, out + threadIdx.x, true);
  cp_async_commit();
}

__global__ void outside_kernel(int* out) {
  G4_DYNAMIC_SHARED(int, shared);
  cp_async<4>(shared + threadIdx.x, out + threadIdx.x + 1, true);
  cp_async_commit();
  cp_async_wait<0>();
}

__global__ void misaligned_copy_kernel(int* out) {
  G4_DYNAMIC_SHARED(int, shared);
  cp_async<16>(shared + 1, out, true);
}

// The next copy comes to where ldmatrix read.
template <bool kBarrier>
__global__ void overwrite_kernel(int* out) {
  G4_DYNAMIC_SHARED(int, shared);
  uint32_t registers[4];
  ldmatrix_x4<false>(registers, shared + threadIdx.x % 8 * 4);
  if constexpr (kBarrier) __syncwarp();
  cp_async<4>(shared + threadIdx.x, out + threadIdx.x, true);
  cp_async_commit();
  cp_async_wait<0>();
}

__global__ void half_warp_mma_kernel(int*) {
  float d[4] = {};
  const uint32_t a[4] = {};
  if (threadIdx.x < 16) mma_16816<false>(d, a, 0, 0);
}

void expect_error(const std::string& name, void (*kernel)(int*), const std::string& part) {
  const Tensor out(32, G4_F32);
  launch(kernel, dim3(1), dim3(32), 32 * sizeof(int), nullptr, static_cast<int*>(out.data()));
  check(status() != G4_OK && emulation::error().find(part) != std::string::npos, name + ": expected '" + part + "', got '" + emulation::error() + "'");
  emulation::clear_error();
}

void test_conversions() {
  for (uint32_t bits = 0; bits < 0x10000; bits++) {
    const f16 value{uint16_t(bits)};
    const bool nan = (bits & 0x7c00u) == 0x7c00u && (bits & 0x3ffu) != 0;
    check(nan ? std::isnan(to_float(value)) : from_float<f16>(to_float(value)).bits == bits, "fp16 there and back");
  }
  const std::pair<float, int> cases[] = {{1.0f, 0x3c00}, {65504.0f, 0x7bff}, {65519.0f, 0x7bff}, {65520.0f, 0x7c00}, {-0x1p-24f, 0x8001}, {0x1p-25f, 0}, {0x1.8p-24f, 2}, {0x1.002p0f, 0x3c00}, {0x1.006p0f, 0x3c02}};
  for (const auto& [value, bits] : cases) check(from_float<f16>(value).bits == bits, "fp16 of " + std::to_string(value));
}

}  // namespace

int main() {
  for (const Run& run : runs()) {
    use(run);
    for (bool truncating : {false, true}) {
      emulation::options().truncating_tensor_cores = truncating;
      test_mma<bf16>(G4_BF16);
      test_mma<f16>(G4_F16);
    }
    test_ldmatrix<false>();
    test_ldmatrix<true>();
    check(copies_right<true, true, false>(), "the first group of copies");
    check(copies_right<true, true, true>(), "both groups of copies");
    check(!copies_right<false, true, true>(), "a missing wait must show");
    if (!emulation::kThreadSanitizer) check(!copies_right<true, false, true>(), "a missing barrier after the wait must show");
    expect_error("no wait at all", unwaited_kernel, "returned before it waited");
    expect_error("outside", outside_kernel, "outside every device allocation");
    expect_error("misaligned", misaligned_copy_kernel, "no multiple of its 16 bytes");
    expect_error("copy over what is read", overwrite_kernel<false>, "writes what ldmatrix read");
    launch(overwrite_kernel<true>, dim3(1), dim3(32), 128, nullptr, static_cast<int*>(Tensor(32, G4_F32).data()));
    check(status() == G4_OK, "the same after a barrier: " + emulation::error());
    expect_error("half a warp", half_warp_mma_kernel, "waits for lane 16");
  }
  const uint64_t before = emulation::bank_conflicts();
  launch(conflict_kernel, dim3(1), dim3(32), 32 * 128, nullptr, static_cast<int*>(nullptr));
  check(status() == G4_OK && emulation::bank_conflicts() - before == 4 * 7, "rows 128 bytes apart conflict seven times in each matrix");
  test_conversions();
  return finish("cuda tensor_test");
}
