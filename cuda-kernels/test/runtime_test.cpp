// The emulated CUDA runtime: device memory that the host cannot touch, work that waits for the host, pinned and pageable copies,
// events and graphs. (Matrix products: matmul_test.cpp.)
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "device_memory.h"
#include "device_tensor.h"
#include "stream.h"

using namespace g4::test;
using namespace g4::cuda;
namespace emulation = g4::emulation;

namespace {

constexpr int kCount = 40;

struct Range {
  int* begin;
  int64_t count;
};

__global__ void add_kernel(int* values, int64_t count, int amount) {
  if (threadIdx.x < unsigned(count)) values[threadIdx.x] += amount;
}

__global__ void add_range_kernel(Range range, int amount) {
  if (threadIdx.x < unsigned(range.count)) range.begin[threadIdx.x] += amount;
}

struct Stream {
  cudaStream_t handle = nullptr;
  Stream() { cudaStreamCreateWithFlags(&handle, 1); }
  ~Stream() { cudaStreamDestroy(handle); }
};

using Values = std::array<int, kCount>;

// kCount integers on the device.
struct Array {
  int* address = nullptr;
  explicit Array(int value) {
    void* memory = nullptr;
    cudaMalloc(&memory, kCount * sizeof(int));
    address = static_cast<int*>(memory);
    Values all;
    all.fill(value);
    cudaMemcpy(address, all.data(), sizeof all, cudaMemcpyHostToDevice);
  }
  ~Array() { cudaFree(address); }
  Values get() const {
    Values all{};
    cudaMemcpy(all.data(), address, sizeof all, cudaMemcpyDeviceToHost);
    return all;
  }
  bool is(int value) const {
    for (int x : get())
      if (x != value) return false;
    return true;
  }
};

void add(int* values, int amount, cudaStream_t stream) {
  launch(add_kernel, dim3(1), dim3(64), 0, stream, values, int64_t(kCount), amount);
}

// Whether the action ends its process by a segmentation fault.
template <class Action>
bool faults(Action action) {
  const pid_t child = fork();
  if (child == 0) {
    action();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

void test_host_cannot_touch() {
  const Array array(1);
  volatile int* address = array.address;
  check(faults([&] { (void)*address; }), "the host reads device memory");
  check(faults([&] { *address = 2; }), "the host writes device memory");
  check(!faults([&] { (void)array.get(); }), "a copy may");
  add(array.address, 1, nullptr);
  launch(add_range_kernel, dim3(1), dim3(64), 0, nullptr, Range{array.address, kCount}, 3);
  check(array.is(5), "kernels may, also through an address in a struct");
}

void test_work_waits_for_the_host() {
  const Stream stream;
  const Array array(1);
  add(array.address, 1, stream.handle);
  check(cudaStreamQuery(stream.handle) == cudaErrorNotReady, "queued work is not done");
  check(*emulation::view(array.address) == 1, "nobody has waited");
  check(cudaStreamSynchronize(stream.handle) == cudaSuccess && *emulation::view(array.address) == 2, "now somebody has");
}

void test_copies() {
  const Stream stream;
  const Array array(0);
  void* memory = nullptr;
  cudaMallocHost(&memory, kCount * sizeof(int));
  int* pinned = static_cast<int*>(memory);
  std::fill_n(pinned, kCount, 1);
  cudaMemcpyAsync(array.address, pinned, kCount * sizeof(int), cudaMemcpyHostToDevice, stream.handle);
  std::fill_n(pinned, kCount, 2);  // too early
  cudaStreamSynchronize(stream.handle);
  check(array.is(2), "pinned memory is read when the stream gets there, not before");
  Values pageable;
  pageable.fill(3);
  cudaMemcpyAsync(array.address, pageable.data(), sizeof pageable, cudaMemcpyHostToDevice, stream.handle);
  pageable.fill(4);
  cudaStreamSynchronize(stream.handle);
  check(array.is(3), "pageable memory is read at once");
  add(array.address, 1, stream.handle);
  cudaMemcpyAsync(pinned, array.address, kCount * sizeof(int), cudaMemcpyDeviceToHost, stream.handle);
  check(pinned[0] == 2, "a copy to pinned memory has not happened yet");
  cudaMemcpyAsync(pageable.data(), array.address, sizeof pageable, cudaMemcpyDeviceToHost, stream.handle);
  check(pageable[0] == 4 && pinned[0] == 4, "a copy to pageable memory waits");
  check(cudaMemcpyAsync(pinned, array.address, sizeof pageable, cudaMemcpyHostToDevice, stream.handle) == cudaErrorInvalidValue, "wrong direction");
  check(cudaMemcpyAsync(array.address + 1, pinned, sizeof pageable, cudaMemcpyHostToDevice, stream.handle) == cudaErrorInvalidValue, "past the end");
  check(cudaMemsetAsync(array.address, 0, sizeof(int) * (kCount + 1), stream.handle) == cudaErrorInvalidValue, "memset past the end");
  cudaFreeHost(memory);
}

void test_events() {
  const Stream first, second;
  const Array array(0);
  cudaEvent_t event = nullptr;
  cudaEventCreateWithFlags(&event, 0);
  add(array.address, 1, first.handle);
  cudaEventRecord(event, first.handle);
  add(array.address, 10, first.handle);
  cudaStreamWaitEvent(second.handle, event, 0);
  check(cudaEventQuery(event) == cudaErrorNotReady, "not reached");
  cudaStreamSynchronize(second.handle);
  check(cudaEventQuery(event) == cudaSuccess && *emulation::view(array.address) == 1, "the second stream drives the first to the event, no further");
  add(array.address, 100, first.handle);
  cudaEventRecord(event, first.handle);
  cudaStreamWaitEvent(second.handle, event, 0);
  add(array.address, 1000, first.handle);
  cudaEventRecord(event, first.handle);
  cudaStreamSynchronize(second.handle);
  check(*emulation::view(array.address) == 111 && cudaEventQuery(event) == cudaErrorNotReady, "a wait is for what was recorded last then, not later");
  cudaEventDestroy(event);
}

void test_graphs() {
  const Stream stream;
  const Array array(0);
  cudaStreamBeginCapture(stream.handle, 0);
  add(array.address, 1, stream.handle);
  add(array.address, 2, stream.handle);
  check(cudaStreamSynchronize(stream.handle) == cudaErrorStreamCaptureUnsupported, "no waiting while capturing");
  void* memory = nullptr;
  check(cudaMalloc(&memory, 16) == cudaErrorStreamCaptureUnsupported, "no allocation while capturing");
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  check(cudaStreamEndCapture(stream.handle, &graph) == cudaSuccess && cudaGraphInstantiate(&exec, graph, 0) == cudaSuccess, "a graph");
  cudaGraphDestroy(graph);
  cudaStreamSynchronize(stream.handle);
  check(array.is(0), "what is captured is not done");
  for (int i = 0; i < 3; i++) cudaGraphLaunch(exec, stream.handle);
  cudaGraphExecDestroy(exec);
  cudaStreamSynchronize(stream.handle);
  check(array.is(9), "a graph repeats its work");
}

}  // namespace

int main() {
  test_host_cannot_touch();
  test_work_waits_for_the_host();
  test_copies();
  test_events();
  test_graphs();
  check(emulation::error().empty(), emulation::error());
  return finish("cuda runtime_test");
}
