#include <algorithm>
#include <numeric>
#include <random>

#include "emulation.h"
#include "sanitizer.h"
#include "simt.h"
#include "stream.h"

namespace g4::emulation {

namespace {
std::string g_error;
cudaError_t g_launch_error = cudaSuccess;
constexpr size_t kSharedLimit = 163 * 1024;  // of sm_80; above 48 KB, launch() in device.cuh asks the driver for it
}  // namespace

Options& options() {
  static Options all;
  return all;
}

Sites& barrier_sites() {
  static Sites sites;
  return sites;
}

Sites& wait_sites() {
  static Sites sites;
  return sites;
}

Sites& guard_sites() {
  static Sites sites;
  return sites;
}

Sites& exchange_sites() {
  static Sites sites;
  return sites;
}

Sites& mask_sites() {
  static Sites sites;
  return sites;
}

Sites& transpose_sites() {
  static Sites sites;
  return sites;
}

void fail(const std::string& sentence) {
  const Unwatched unwatched;
  if (g_error.empty()) g_error = sentence;
}

const std::string& error() { return g_error; }

void clear_error() {
  const Unwatched unwatched;
  g_error.clear();
}

cudaError_t take_launch_error() {
  const cudaError_t error = g_launch_error;
  g_launch_error = cudaSuccess;
  return error;
}

namespace {

void run_blocks(dim3 grid, dim3 threads, size_t dynamic_bytes, const std::function<void()>& kernel) {
  if (!error().empty()) return;  // a fault is sticky, as on a device
  const Unwatched unwatched;
  Block block(grid, threads, dynamic_bytes, kernel);
  std::vector<uint64_t> order(uint64_t(grid.x) * grid.y * grid.z);
  std::iota(order.begin(), order.end(), uint64_t(0));
  if (options().order == Order::kDescending) std::reverse(order.begin(), order.end());
  if (options().order == Order::kSeeded) {
    std::mt19937_64 random(options().seed + 1);
    std::shuffle(order.begin(), order.end(), random);
  }
  for (uint64_t i : order) {
    block.run({unsigned(i % grid.x), unsigned(i / grid.x % grid.y), unsigned(i / (uint64_t(grid.x) * grid.y))});
    if (!error().empty()) {
      g_launch_error = cudaErrorLaunchFailure;
      return;
    }
  }
}

}  // namespace

void launch_blocks(cudaStream_t stream, dim3 grid, dim3 threads, size_t dynamic_bytes, std::function<void()> kernel) {
  const uint64_t per_block = uint64_t(threads.x) * threads.y * threads.z;
  const uint64_t blocks = uint64_t(grid.x) * grid.y * grid.z;
  if (per_block == 0 || per_block > 1024 || blocks == 0 || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535 || dynamic_bytes > kSharedLimit) {
    fail("no GPU takes a launch of " + std::to_string(blocks) + " blocks of " + std::to_string(per_block) + " threads with " + std::to_string(dynamic_bytes) +
         " bytes of shared memory");
    g_launch_error = cudaErrorInvalidConfiguration;
    return;
  }
  if (!error().empty()) {
    g_launch_error = cudaErrorLaunchFailure;
    return;
  }
  enqueue(stream, [=, kernel = std::move(kernel)] { run_blocks(grid, threads, dynamic_bytes, kernel); });
}

}  // namespace g4::emulation
