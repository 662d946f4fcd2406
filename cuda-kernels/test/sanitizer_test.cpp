// Whether the sanitizers see what they are for: planted bugs, each in a process of its own, which must end with a report; and
// right programs of the same kinds, which must end without.
//
// ThreadSanitizer is there for races that show in no order of the emulation: a shuffle lets lanes wait for each other as no GPU
// promises it, or whoever wins writes the same. So `hidden` plants must give the right result in every order, too.
#include <array>
#include <cstdlib>

#include "device_tensor.h"

using namespace g4::test;
using namespace g4::cuda;
namespace emulation = g4::emulation;

namespace {

constexpr int kThreads = 64;

// ---- addresses ----

__global__ void write_at_kernel(int* out, int64_t index) { out[index] = 1; }
__global__ void read_at_kernel(int* out, int64_t index) { out[0] = out[index]; }

__global__ void local_kernel(int* out, int64_t index) {
  int local[4] = {1, 2, 3, 4};
  int* volatile whose = local;  // so that the compiler, and with it UBSan, does not know how long it is
  int* at = whose;
  at[index] = 5;
  __syncthreads();
  for (int i = 0; i < 4; i++) out[i] = at[i];
}

__global__ void static_shared_kernel(int* out, int64_t index) {
  G4_SHARED(int, array, 4);
  int* at = array;
  at[index] = 1;
  out[0] = at[index];
}

// Two arrays of four.
__global__ void dynamic_shared_kernel(int* out, int64_t index) {
  G4_DYNAMIC_SHARED(int, first);
  int* second = behind(first, 4);
  first[index] = 1;
  second[index] = 2;
  out[0] = first[index] + second[index];
}

__global__ void vector_kernel(int* out, int64_t index) { store_pack<4>(reinterpret_cast<float*>(out + index), Floats<4>{}); }

__global__ void overflow_kernel(int* out, int64_t index) { out[0] = int(2147483640 + index) + int(index); }

void at(void (*kernel)(int*, int64_t), int64_t index) {
  const Tensor out(9, G4_F32);
  launch(kernel, dim3(1), dim3(1), 32, nullptr, static_cast<int*>(out.data()), index);
}

void freed() {
  void* memory = nullptr;
  cudaMalloc(&memory, 64);
  cudaFree(memory);
  launch(write_at_kernel, dim3(1), dim3(1), 0, nullptr, static_cast<int*>(memory), int64_t(3));
}

// ---- order ----

enum class Between { kNothing, kShuffle, kWarp, kBlock };

// What the lane two before wrote.
template <Between kBetween>
__global__ void neighbour_kernel(int* out) {
  out += blockIdx.x * kThreads;
  G4_SHARED(int, values, kThreads);
  const int i = int(threadIdx.x), lane = i % kWarp, before = (lane + kWarp - 2) % kWarp;
  values[i] = 7 + lane;
  if constexpr (kBetween == Between::kShuffle) out[i] = __shfl_xor_sync(kAllLanes, lane, 1);
  if constexpr (kBetween == Between::kWarp) __syncwarp();
  if constexpr (kBetween == Between::kBlock) __syncthreads();
  out[i] = values[i - lane + before] - before;
}

// The other warp's. (The poison that is read too early is -1.)
template <Between kBetween>
__global__ void other_warp_kernel(int* out) {
  out += blockIdx.x * kThreads;
  G4_SHARED(int, values, kThreads);
  const int i = int(threadIdx.x);
  values[i] = 7;
  if constexpr (kBetween == Between::kWarp) __syncwarp();
  if constexpr (kBetween == Between::kBlock) __syncthreads();
  out[i] = values[(i + kWarp) % kThreads] & 7;
}

// Every block says the same at the same place, behind a barrier of its own.
__global__ void same_address_kernel(int* out) {
  out[blockIdx.x * kThreads + threadIdx.x] = 7;
  __syncthreads();
  if (threadIdx.x == 0) out[0] = 7;
}

// Each block its own; its shared memory is where the block before had its own.
__global__ void own_address_kernel(int* out) {
  G4_SHARED(int, values, kThreads);
  values[kThreads - 1 - threadIdx.x] = 7;
  __syncthreads();
  out[blockIdx.x * kThreads + threadIdx.x] = values[threadIdx.x];
}

template <bool kAtomic>
__global__ void count_kernel(int* out) {
  out += blockIdx.x * kThreads;
  G4_SHARED(int, count, 1);
  if (threadIdx.x == 0) count[0] = 7 - kThreads;
  __syncthreads();
  if constexpr (kAtomic) {
    atomicAdd(count, 1);
  } else {
    count[0]++;
  }
  __syncthreads();
  out[threadIdx.x] = count[0];
}

// A copy that its own thread has waited for, read by another.
template <Between kBetween>
__global__ void copy_kernel(int* out) {
  out += blockIdx.x * kThreads;
  G4_DYNAMIC_SHARED(int, shared);
  const int i = int(threadIdx.x);
  out[i] = 7;
  cp_async<4>(shared + i, out + i, true);
  cp_async_commit();
  cp_async_wait<0>();
  if constexpr (kBetween == Between::kWarp) __syncwarp();
  if constexpr (kBetween == Between::kBlock) __syncthreads();
  out[i] = shared[(i + kWarp) % kThreads] & 7;
}

// A fragment is loaded from where another lane then writes the same again.
template <Between kBetween>
__global__ void fragment_kernel(int* out) {
  out += blockIdx.x * kThreads;
  G4_DYNAMIC_SHARED(int, shared);
  const int i = int(threadIdx.x), lane = i % kWarp;
  int* tile = shared + i / kWarp * kWarp * 4;
  for (int k = 0; k < 4; k++) tile[lane * 4 + k] = 7;
  __syncthreads();
  uint32_t registers[4];
  ldmatrix_x4<false>(registers, tile + lane * 4);
  if constexpr (kBetween == Between::kShuffle) out[i] = __shfl_xor_sync(kAllLanes, 7, 1);
  if constexpr (kBetween == Between::kWarp) __syncwarp();
  tile[(lane + 1) % kWarp * 4] = 7;
  out[i] = int(registers[0]);
}

constexpr int kBlocks = 5;

// Whether every thread of every block says 7, in every order.
void sevens(void (*kernel)(int*), bool hidden) {
  using emulation::Order;
  bool right = true;
  for (const Run& run : {Run{Order::kAscending, 0}, Run{Order::kDescending, 0}, Run{Order::kSeeded, 1}, Run{Order::kSeeded, 2}}) {
    use(run);
    const Tensor out(Ints(kBlocks * kThreads, 7));
    launch(kernel, dim3(kBlocks), dim3(kThreads), kThreads * 16, nullptr, static_cast<int*>(out.data()));
    right = right && status() == G4_OK;
    for (double x : out.get()) right = right && x == 7;
  }
  if (hidden) std::printf(right ? "right in every order\n" : "wrong in some order\n");
}

// ---- what is planted ----

struct Plant {
  const char* name;
  void (*run)();
  const char* report;   // of it; null: it is right, and silent
  bool hidden = false;  // from the thread orders
};

const std::vector<Plant>& plants() {
  static const std::vector<Plant> address = {
      {"last element", [] { at(write_at_kernel, 8); }, nullptr},
      {"write one past the end", [] { at(write_at_kernel, 9); }, "use-after-poison"},
      {"write far past the end", [] { at(write_at_kernel, 9 + (1 << 20)); }, "use-after-poison"},
      {"read one before the start", [] { at(read_at_kernel, -1); }, "use-after-poison"},
      {"write to freed memory", freed, "use-after-poison"},
      {"local array", [] { at(local_kernel, 3); }, nullptr},
      {"write past a local array", [] { at(local_kernel, 4); }, "stack-buffer-overflow"},
      {"shared array", [] { at(static_shared_kernel, 3); }, nullptr},
      {"write past a shared array", [] { at(static_shared_kernel, 4); }, "use-after-poison"},
      {"two arrays of dynamic shared memory", [] { at(dynamic_shared_kernel, 3); }, nullptr},
      {"write from one array into the next", [] { at(dynamic_shared_kernel, 4); }, "use-after-poison"},
      {"write before dynamic shared memory", [] { at(dynamic_shared_kernel, -1); }, "heap-buffer-overflow"},
      {"vector", [] { at(vector_kernel, 4); }, nullptr},
      {"misaligned vector", [] { at(vector_kernel, 1); }, "misaligned address"},
      {"sum", [] { at(overflow_kernel, 3); }, nullptr},
      {"sum that overflows", [] { at(overflow_kernel, 7); }, "signed integer overflow"},
  };
  static const std::vector<Plant> thread = {
      {"barrier of the block", [] { sevens(neighbour_kernel<Between::kBlock>, false); }, nullptr},
      {"barrier of the warp", [] { sevens(neighbour_kernel<Between::kWarp>, false); }, nullptr},
      {"no barrier", [] { sevens(neighbour_kernel<Between::kNothing>, false); }, "data race"},
      {"shuffle as a fence", [] { sevens(neighbour_kernel<Between::kShuffle>, true); }, "data race", true},
      {"two warps, barrier of the block", [] { sevens(other_warp_kernel<Between::kBlock>, false); }, nullptr},
      {"two warps, barrier of the warp", [] { sevens(other_warp_kernel<Between::kWarp>, true); }, "data race", true},
      {"blocks apart", [] { sevens(own_address_kernel, false); }, nullptr},
      {"blocks at the same address", [] { sevens(same_address_kernel, true); }, "data race", true},
      {"atomic count", [] { sevens(count_kernel<true>, false); }, nullptr},
      {"plain count", [] { sevens(count_kernel<false>, true); }, "data race", true},
      {"copy and a barrier of the block", [] { sevens(copy_kernel<Between::kBlock>, false); }, nullptr},
      {"copy and a barrier of the warp", [] { sevens(copy_kernel<Between::kWarp>, true); }, "data race", true},
      {"fragment and a barrier", [] { sevens(fragment_kernel<Between::kWarp>, false); }, nullptr},
      {"fragment and a shuffle", [] { sevens(fragment_kernel<Between::kShuffle>, true); }, "data race", true},
  };
  return emulation::kThreadSanitizer ? thread : address;
}

// Runs this program again, for one plant.
void test(const char* program, const Plant& plant) {
  FILE* child = popen((std::string(program) + " '" + plant.name + "' 2>&1").c_str(), "r");
  std::string said;
  std::array<char, 4096> part;
  while (child != nullptr && std::fgets(part.data(), int(part.size()), child) != nullptr) said += part.data();
  const bool silent = child != nullptr && pclose(child) == 0;
  const auto says = [&](const char* what) { return said.find(what) != std::string::npos; };
  if (plant.report == nullptr) {
    check(silent && !says("Sanitizer"), std::string(plant.name) + " is right, but: " + said.substr(0, 2000));
  } else {
    check(!silent && says(plant.report), std::string(plant.name) + ": expected '" + plant.report + "', got: " + said.substr(0, 2000));
    if (plant.hidden) check(says("right in every order"), std::string(plant.name) + " shows without a sanitizer, too");
  }
}

}  // namespace

int main(int count, char** arguments) {
  for (const Plant& plant : plants()) {
    if (count < 2) {
      test(arguments[0], plant);
    } else if (plant.name == std::string(arguments[1])) {
      plant.run();
      return status() == G4_OK && emulation::error().empty() ? 0 : 2;
    }
  }
  return finish("cuda sanitizer_test");
}
