#include "device_memory.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "emulation.h"
#include "sanitizer.h"

namespace g4::emulation {

namespace {

constexpr size_t kAlign = 256;
constexpr size_t kGuardBytes = 256;
// Signalling NaNs in fp32 and bf16: arithmetic makes them quiet, so even "guard += 0" changes them.
constexpr unsigned char kGuard[4] = {0xA5, 0x7F, 0xA5, 0x7F};

struct Allocation {
  size_t bytes;  // as asked for
  size_t end() const { return kGuardBytes + (bytes + kAlign - 1) / kAlign * kAlign + kGuardBytes; }
};

class Device {
 public:
  Device() {
    void* base = reinterpret_cast<void*>(kDeviceBase);
    void* reserved = mmap(base, kDeviceBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    void* bytes = mmap(nullptr, kDeviceBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved != base || bytes == MAP_FAILED) {
      std::fprintf(stderr, "the emulated device found no room for its memory in this process\n");
      std::abort();
    }
    view_ = static_cast<unsigned char*>(bytes);
    forbid(view_, kDeviceBytes);
  }

  ptrdiff_t distance() const { return ptrdiff_t(reinterpret_cast<uintptr_t>(view_) - kDeviceBase); }

  void* allocate(size_t bytes) {
    const Allocation wanted{bytes};
    if (bytes > kDeviceBytes) return nullptr;
    size_t at = 0;  // first fit
    for (const auto& [begin, allocation] : all_) {
      if (begin - at >= wanted.end()) break;
      at = begin + allocation.end();
    }
    if (at + wanted.end() > kDeviceBytes) return nullptr;
    all_[at] = wanted;
    in_use_ += bytes;
    allow(view_ + at, wanted.end());
    fill_guard(at);
    std::memset(view_ + at + kGuardBytes, 0xFF, bytes);
    fill_guard(at + kGuardBytes + bytes);
    forbid(view_ + at, wanted.end());
    allow(view_ + at + kGuardBytes, bytes);
    return reinterpret_cast<void*>(kDeviceBase + at + kGuardBytes);
  }

  bool release(void* address) {
    const auto found = all_.find(reinterpret_cast<uintptr_t>(address) - kDeviceBase - kGuardBytes);
    if (found == all_.end()) return fail("cudaFree of an address that is no allocation"), false;
    const auto [begin, allocation] = *found;
    allow(view_ + begin, allocation.end());
    const bool intact = is_guard(begin) && is_guard(begin + kGuardBytes + allocation.bytes);
    std::memset(view_ + begin + kGuardBytes, 0xFF, allocation.bytes);
    forbid(view_ + begin, allocation.end());
    in_use_ -= allocation.bytes;
    all_.erase(found);
    if (!intact) fail("a kernel wrote outside a device allocation of " + std::to_string(allocation.bytes) + " bytes");
    return intact;
  }

  bool owns(const void* address, size_t bytes) const {
    const size_t at = reinterpret_cast<uintptr_t>(address) - kDeviceBase;
    auto after = all_.upper_bound(at);
    if (after == all_.begin()) return false;
    const auto& [begin, allocation] = *--after;
    return at >= begin + kGuardBytes && at + bytes <= begin + kGuardBytes + allocation.bytes;
  }

  size_t in_use() const { return in_use_; }

 private:
  void fill_guard(size_t at) {
    for (size_t i = 0; i < kGuardBytes; i++) view_[at + i] = kGuard[i % 4];
  }

  bool is_guard(size_t at) const {
    for (size_t i = 0; i < kGuardBytes; i++)
      if (view_[at + i] != kGuard[i % 4]) return false;
    return true;
  }

  unsigned char* view_;
  std::map<size_t, Allocation> all_;  // by distance of the first guard from the base
  size_t in_use_ = 0;
};

Device& device() {
  static Device the_device;
  return the_device;
}

}  // namespace

void* device_allocate(size_t bytes) { return device().allocate(bytes); }
bool device_release(void* address) { return device().release(address); }
size_t device_bytes_in_use() { return device().in_use(); }
bool device_owns(const void* address, size_t bytes) { return device().owns(address, bytes); }
ptrdiff_t view_distance() { return device().distance(); }

bool inside_allocation(const void* address, size_t bytes) {
  const Unwatched unwatched;
  return device().owns(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(address) - view_distance()), bytes);
}

}  // namespace g4::emulation
