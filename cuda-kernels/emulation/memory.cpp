#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "emulation.h"
#include "runtime.h"

namespace {

constexpr size_t kGuardBytes = 256;
// Signalling NaNs in fp32 and bf16: arithmetic makes them quiet, so even "guard += 0" changes them.
constexpr unsigned char kGuard[4] = {0xA5, 0x7F, 0xA5, 0x7F};

void fill_guard(unsigned char* at) {
  for (size_t i = 0; i < kGuardBytes; i++) at[i] = kGuard[i % 4];
}

// Sits at the start of the guard in front of the address that the caller gets.
struct Header {
  uint64_t bytes;
};

bool is_guard(const unsigned char* at, size_t from) {
  for (size_t i = from; i < kGuardBytes; i++)
    if (at[i] != kGuard[i % 4]) return false;
  return true;
}

}  // namespace

cudaError_t cudaMalloc(void** address, size_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, 256, kGuardBytes + bytes + kGuardBytes) != 0) return cudaErrorMemoryAllocation;
  unsigned char* base = static_cast<unsigned char*>(memory);
  fill_guard(base);
  std::memset(base + kGuardBytes, 0xFF, bytes);
  fill_guard(base + kGuardBytes + bytes);
  const Header header{bytes};
  std::memcpy(base, &header, sizeof header);
  *address = base + kGuardBytes;
  return cudaSuccess;
}

cudaError_t cudaFree(void* address) {
  if (address == nullptr) return cudaSuccess;
  unsigned char* base = static_cast<unsigned char*>(address) - kGuardBytes;
  Header header;
  std::memcpy(&header, base, sizeof header);
  const bool intact = is_guard(base, sizeof header) && is_guard(base + kGuardBytes + header.bytes, 0);
  std::free(base);
  if (intact) return cudaSuccess;
  g4::emulation::fail("a kernel wrote outside a device allocation of " + std::to_string(header.bytes) + " bytes");
  return cudaErrorInvalidValue;
}

cudaError_t cudaMallocAsync(void** address, size_t bytes, cudaStream_t) { return cudaMalloc(address, bytes); }

cudaError_t cudaFreeAsync(void* address, cudaStream_t) { return cudaFree(address); }

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t) {
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* address, int byte, size_t bytes, cudaStream_t) {
  std::memset(address, byte, bytes);
  return cudaSuccess;
}

cudaError_t cudaGetLastError() { return g4::emulation::take_launch_error(); }
