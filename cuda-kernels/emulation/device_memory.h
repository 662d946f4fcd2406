// The emulated device's memory. Its addresses are a reservation that nobody may touch: a host that reads or writes through one
// faults, as it would (or should) on a machine with a GPU. The bytes live in a second mapping, the view, at a fixed distance;
// only kernels, copies and cuBLASLt of the emulation look there.
//
// Fresh memory is filled with 0xFF (a NaN in fp32, fp16 and bf16, so that reading what nobody wrote shows), and so is what was
// freed; every allocation lies between guard bytes that are checked when it is freed. To AddressSanitizer, only the very bytes
// of an allocation may be touched, and not after it is freed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "sanitizer.h"

namespace g4::emulation {

// The lower halves of these addresses are negative as 32-bit integers and the upper half is an odd number no shape has, so that
// two neighbouring integers in a struct do not look like one of them.
// (ThreadSanitizer leaves programs other addresses. AddressSanitizer keeps a byte for eight of them.)
constexpr uintptr_t kDeviceBase = kThreadSanitizer ? 0x566D80000000 : 0x5EED80000000;
constexpr size_t kDeviceBytes = size_t(kSanitized ? 256 : 2048) << 20;

void* device_allocate(size_t bytes);  // 256-byte aligned; nullptr: no room
// False, with a sentence in error(), if it is no allocation or if its guards were written to.
bool device_release(void* address);
size_t device_bytes_in_use();

// Whether all of [address, address + bytes) lies in one allocation.
bool device_owns(const void* address, size_t bytes);

ptrdiff_t view_distance();

inline bool is_device_address(const void* address) { return reinterpret_cast<uintptr_t>(address) - kDeviceBase < kDeviceBytes; }

// Where the bytes behind a device address are; other addresses are themselves.
template <class T>
T* view(T* address) {
  if (!is_device_address(address)) return address;
  return reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(address) + view_distance());
}

// A kernel's argument as its threads see it: addresses, also those inside a struct, lead to the view.
template <class T>
T kernel_argument(T value) {
  if constexpr (std::is_pointer_v<T>) {
    return view(value);
  } else if constexpr (std::is_class_v<T>) {
    static_assert(std::is_trivially_copyable_v<T>, "a kernel's argument is copied byte by byte");
    if constexpr (alignof(T) >= alignof(void*)) {
      for (size_t at = 0; at + sizeof(void*) <= sizeof(T); at += sizeof(void*)) {
        unsigned char* word = reinterpret_cast<unsigned char*>(&value) + at;
        const void* address;
        std::memcpy(&address, word, sizeof address);
        address = view(address);
        std::memcpy(word, &address, sizeof address);
      }
    }
    return value;
  } else {
    return value;
  }
}

}  // namespace g4::emulation
