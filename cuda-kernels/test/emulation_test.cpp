// The emulation itself: what warps and blocks exchange, and that every use of them that CUDA leaves undefined is an error
// with a sentence, never a hang or a silent right answer. (What a sanitizer would end the program for is left to
// sanitizer_test.cpp.)
#include "device_tensor.h"

using namespace g4::test;
using namespace g4::cuda;
namespace emulation = g4::emulation;

namespace {

constexpr int kThreads = 64;

__global__ void exchange_kernel(int* out) {
  const int lane = int(threadIdx.x % kWarp), at = int(blockIdx.x * blockDim.x + threadIdx.x) * 5;
  out[at] = __shfl_xor_sync(kAllLanes, lane, 5);
  out[at + 1] = __shfl_down_sync(kAllLanes, lane, 3);
  out[at + 2] = __shfl_sync(kAllLanes, lane, lane / 2);
  out[at + 3] = int(__ballot_sync(kAllLanes, lane % 3 == 0));
  if (lane < 8) {
    out[at + 4] = __shfl_xor_sync(0xffu, lane, 1);
  } else {
    out[at + 4] = __shfl_xor_sync(0xffffff00u, lane, 2);
  }
  __syncwarp();
}

// Each thread reads what the next thread of the block wrote.
template <bool kBarrier>
__global__ void neighbour_kernel(int* out) {
  G4_SHARED(int, fixed, kThreads);
  G4_DYNAMIC_SHARED(int, dynamic);
  const int i = int(threadIdx.x);
  fixed[i] = i;
  dynamic[i] = i * 10;
  if constexpr (kBarrier) __syncthreads();
  const int next = (i + 1) % kThreads;
  out[i] = fixed[next] + dynamic[next];
}

__global__ void divergent_kernel(int* out) {
  if (threadIdx.x < 40) __syncthreads();
  out[threadIdx.x] = 1;
}

__global__ void two_barriers_kernel(int* out) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  out[threadIdx.x] = 1;
}

__global__ void returned_lane_kernel(int* out) {
  if (threadIdx.x == 7) return;
  out[threadIdx.x] = __shfl_xor_sync(kAllLanes, 1, 1);
}

__global__ void foreign_mask_kernel(int* out) { out[threadIdx.x] = __shfl_xor_sync(0xfffffffeu, 1, 1); }

__global__ void outside_mask_kernel(int* out) {
  if (threadIdx.x < 16) out[threadIdx.x] = __shfl_down_sync(0xffffu, 1, 8);
}

__global__ void mixed_operations_kernel(int* out) {
  if (threadIdx.x % 2 == 0) {
    out[threadIdx.x] = __shfl_xor_sync(kAllLanes, 1, 1);
  } else {
    __syncthreads();
  }
}

__global__ void overrun_kernel(int*) {
  G4_DYNAMIC_SHARED(int, dynamic);
  dynamic[threadIdx.x + 1] = 0;
}

std::string error_of(void (*kernel)(int*), unsigned threads) {
  void* out = nullptr;
  cudaMalloc(&out, kThreads * sizeof(int));
  launch(kernel, dim3(2), dim3(threads), threads * sizeof(int), nullptr, static_cast<int*>(out));
  const bool failed = status() != G4_OK || !emulation::error().empty();
  const std::string sentence = emulation::error();
  check(failed == !sentence.empty(), "a status and a sentence go together");
  emulation::clear_error();
  cudaFree(out);
  return sentence;
}

void expect_error(const std::string& name, void (*kernel)(int*), unsigned threads, const std::string& part) {
  const std::string sentence = error_of(kernel, threads);
  check(sentence.find(part) != std::string::npos, name + ": expected '" + part + "', got '" + sentence + "'");
}

void test_exchange() {
  void* memory = nullptr;
  cudaMalloc(&memory, 2 * kThreads * 5 * sizeof(int));
  int* out = static_cast<int*>(memory);
  launch(exchange_kernel, dim3(2), dim3(kThreads), 0, nullptr, out);
  out = emulation::view(out);
  check(status() == G4_OK && emulation::error().empty(), "exchange: " + emulation::error());
  unsigned thirds = 0;
  for (int lane = 0; lane < kWarp; lane += 3) thirds |= 1u << lane;
  for (int i = 0; i < 2 * kThreads; i++) {
    const int lane = i % kWarp;
    const int* got = out + i * 5;
    check(got[0] == (lane ^ 5), "shuffle xor");
    check(got[1] == (lane + 3 < kWarp ? lane + 3 : lane), "shuffle down");
    check(got[2] == lane / 2, "shuffle by index");
    check(unsigned(got[3]) == thirds, "ballot");
    check(got[4] == (lane < 8 ? lane ^ 1 : lane ^ 2), "shuffles of two parts of a warp");
  }
  cudaFree(memory);
}

bool neighbours_right(void (*kernel)(int*)) {
  void* memory = nullptr;
  cudaMalloc(&memory, kThreads * sizeof(int));
  launch(kernel, dim3(1), dim3(kThreads), kThreads * sizeof(int), nullptr, static_cast<int*>(memory));
  bool right = status() == G4_OK;
  for (int i = 0; i < kThreads; i++) right = right && static_cast<int*>(emulation::view(memory))[i] == (i + 1) % kThreads * 11;
  cudaFree(memory);
  return right;
}

void test_launch_limits() {
  int* none = nullptr;
  launch(divergent_kernel, dim3(1), dim3(1025), 0, nullptr, none);
  check(status() != G4_OK && !emulation::error().empty(), "1025 threads in a block");
  emulation::clear_error();
  launch(divergent_kernel, dim3(1), dim3(32), 164 * 1024, nullptr, none);
  check(status() != G4_OK && !emulation::error().empty(), "164 KB of shared memory");
  emulation::clear_error();
}

void test_memory() {
  void* memory = nullptr;
  cudaMalloc(&memory, 12);
  const float* floats = static_cast<const float*>(emulation::view(memory));
  check(std::isnan(floats[0]) && std::isnan(floats[2]), "fresh device memory is poisoned");
  if (emulation::kAddressSanitizer) return void(cudaFree(memory));
  static_cast<volatile unsigned char*>(emulation::view(memory))[12] = 0;
  check(cudaFree(memory) != cudaSuccess && !emulation::error().empty(), "a write behind an allocation is found when it is freed");
  emulation::clear_error();
}

}  // namespace

int main() {
  for (const Run& run : runs()) {
    use(run);
    test_exchange();
    check(neighbours_right(neighbour_kernel<true>), "neighbours through shared memory");
    if (!emulation::kThreadSanitizer) check(!neighbours_right(neighbour_kernel<false>), "a missing barrier must show");
    expect_error("barrier under if", divergent_kernel, kThreads, "returned while other threads");
    expect_error("two barriers", two_barriers_kernel, kThreads, "meets threads that wait at emulation_test.cpp:");
    expect_error("returned lane", returned_lane_kernel, 32, "waits for lane 7, which has returned");
    expect_error("half a warp", exchange_kernel, 16, "waits for lane 16, which has returned or never was");
    expect_error("caller outside its mask", foreign_mask_kernel, 32, "mask");
    expect_error("source outside the mask", outside_mask_kernel, 32, "which is not in the mask");
    expect_error("shuffle and barrier", mixed_operations_kernel, 32, "which waits in __syncthreads");
    if (!emulation::kAddressSanitizer) expect_error("overrun", overrun_kernel, 32, "behind the end of its shared memory");
  }
  test_launch_limits();
  test_memory();
  return finish("cuda emulation_test");
}
