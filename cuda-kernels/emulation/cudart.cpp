// Memory, copies, and questions about the device.
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "device_memory.h"
#include "emulation.h"
#include "stream.h"

using namespace g4::emulation;

namespace {

using Lock = std::lock_guard<std::recursive_mutex>;

// Pinned host memory: copies from and to it are done when the stream gets there. Other host memory is copied from before the
// call returns, and copied to by waiting, as the CUDA manual says of pageable memory.
std::set<std::pair<const char*, size_t>>& pinned() {
  static std::set<std::pair<const char*, size_t>> all;
  return all;
}

bool is_pinned(const void* address) {
  const char* at = static_cast<const char*>(address);
  for (const auto& [begin, bytes] : pinned())
    if (at >= begin && at < begin + bytes) return true;
  return false;
}

// What the emulated device pretends to be: GRPO4J_EMULATED_DEVICE is "none", "no-driver", or its compute capability ("7.5").
std::string pretended() {
  const char* value = std::getenv("GRPO4J_EMULATED_DEVICE");
  return value == nullptr ? "9.0" : value;
}

cudaError_t refused_copy(const void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  const bool to_device = is_device_address(to), from_device = is_device_address(from);
  const bool fits = kind == cudaMemcpyDefault || (to_device == (kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice) &&
                                                  from_device == (kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice));
  const bool owned = (!to_device || device_owns(to, bytes)) && (!from_device || device_owns(from, bytes));
  return fits && owned ? cudaSuccess : cudaErrorInvalidValue;
}

}  // namespace

// ---- memory ----

cudaError_t cudaMalloc(void** address, size_t bytes) {
  const Lock lock(device_lock());
  if (is_capturing()) return cudaErrorStreamCaptureUnsupported;
  *address = bytes == 0 ? nullptr : device_allocate(bytes);
  return *address == nullptr && bytes != 0 ? cudaErrorMemoryAllocation : cudaSuccess;
}

cudaError_t cudaFree(void* address) {
  const Lock lock(device_lock());
  if (is_capturing()) return cudaErrorStreamCaptureUnsupported;
  if (address == nullptr) return cudaSuccess;
  run_all();
  return device_release(address) ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaMallocAsync(void** address, size_t bytes, cudaStream_t) { return cudaMalloc(address, bytes); }

cudaError_t cudaFreeAsync(void* address, cudaStream_t stream) {
  const Lock lock(device_lock());
  if (is_capturing()) return cudaErrorStreamCaptureUnsupported;  // memory of a graph's own is not emulated
  enqueue(stream, [address] { device_release(address); });
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** address, size_t bytes) {
  const Lock lock(device_lock());
  if (posix_memalign(address, 4096, bytes) != 0) return cudaErrorMemoryAllocation;
  pinned().insert({static_cast<const char*>(*address), bytes});
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* address) {
  const Lock lock(device_lock());
  run_all();
  for (auto it = pinned().begin(); it != pinned().end(); ++it) {
    if (it->first != address) continue;
    pinned().erase(it);
    std::free(address);
    return cudaSuccess;
  }
  return cudaErrorInvalidValue;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  const Lock lock(device_lock());
  if (bytes == 0) return cudaSuccess;
  if (const cudaError_t refused = refused_copy(to, from, bytes, kind); refused != cudaSuccess) return refused;
  int capturing = 0;
  cudaStreamIsCapturing(stream, &capturing);
  if (!is_device_address(from) && !is_pinned(from) && capturing == 0) {
    const char* bytes_now = static_cast<const char*>(from);
    enqueue(stream, [to, staged = std::vector<char>(bytes_now, bytes_now + bytes)] { std::memcpy(view(static_cast<char*>(to)), staged.data(), staged.size()); });
  } else {
    enqueue(stream, [=] { std::memmove(view(static_cast<char*>(to)), view(static_cast<const char*>(from)), bytes); });
  }
  if (!is_device_address(to) && !is_pinned(to)) return cudaStreamSynchronize(stream);
  return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) { return cudaMemcpyAsync(to, from, bytes, kind, nullptr); }

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  const Lock lock(device_lock());
  if (bytes == 0) return cudaSuccess;
  if (!device_owns(to, bytes)) return cudaErrorInvalidValue;
  enqueue(stream, [=] { std::memset(view(static_cast<char*>(to)), value, bytes); });
  return cudaSuccess;
}

// ---- the device ----

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 0;
  if (pretended() == "no-driver") return cudaErrorInsufficientDriver;
  if (pretended() == "none") return cudaErrorNoDevice;
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; }

cudaError_t cudaDeviceGetAttribute(int* value, int attribute, int device) {
  constexpr int kMultiProcessorCount = 16, kComputeCapabilityMajor = 75, kComputeCapabilityMinor = 76;  // of cudaDeviceAttr
  if (device != 0) return cudaErrorInvalidDevice;
  const std::string capability = pretended();
  const size_t dot = capability.find('.');
  if (dot == std::string::npos) return cudaErrorInvalidDevice;
  switch (attribute) {
    case kMultiProcessorCount: *value = 1; return cudaSuccess;
    case kComputeCapabilityMajor: *value = std::atoi(capability.substr(0, dot).c_str()); return cudaSuccess;
    case kComputeCapabilityMinor: *value = std::atoi(capability.substr(dot + 1).c_str()); return cudaSuccess;
    default: return cudaErrorInvalidValue;
  }
}

// The name only, the first field of cudaDeviceProp: everything else is asked for by attribute.
cudaError_t cudaGetDeviceProperties(void* properties, int device) {
  if (device != 0) return cudaErrorInvalidDevice;
  std::strcpy(static_cast<char*>(properties), "emulated GPU");
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  const Lock lock(device_lock());
  *total_bytes = kDeviceBytes;
  *free_bytes = kDeviceBytes - device_bytes_in_use();
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13010;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = pretended() == "no-driver" ? 0 : 13010;
  return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int) { return cudaSuccess; }

const char* cudaGetErrorName(cudaError_t code) {
  switch (code) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration: return "cudaErrorInvalidConfiguration";
    case cudaErrorInsufficientDriver: return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice: return "cudaErrorNoDevice";
    case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
    case cudaErrorStreamCaptureUnsupported: return "cudaErrorStreamCaptureUnsupported";
    default: return "cudaErrorUnknown";
  }
}

const char* cudaGetErrorString(cudaError_t code) {
  if ((code == cudaErrorLaunchFailure || code == cudaErrorInvalidConfiguration) && !error().empty()) return error().c_str();
  return cudaGetErrorName(code);
}

}  // extern "C"

cudaError_t cudaGetLastError() { return take_launch_error(); }
