// Storage types and 16-byte vectors. Memory is read and written in units of up to 16 bytes (LDG.128, STG.128: 512 bytes a
// warp), arithmetic is fp32.
//
// A kernel is a template on the storage type T and on V, the elements a thread moves at once. The launcher takes
// V = 16 / sizeof(T) where every row starts at a multiple of 16 bytes, and V = 1 otherwise: two plain loops instead of a
// vector loop with a head and a tail.
#pragma once

#include <type_traits>

#include "device.cuh"

namespace g4::cuda {

struct bf16 {
  uint16_t bits;
};

struct f16 {
  uint16_t bits;
};

__device__ __forceinline__ float to_float(float value) { return value; }
__device__ __forceinline__ float to_float(bf16 value) {
  const uint32_t bits = uint32_t(value.bits) << 16;
  float result;
  memcpy(&result, &bits, sizeof result);
  return result;
}

__device__ __forceinline__ float to_float(f16 value) { return f16_value(value.bits); }

template <class T>
__device__ __forceinline__ T from_float(float value) {
  if constexpr (std::is_same_v<T, bf16>) {
    return bf16{bf16_bits(value)};
  } else if constexpr (std::is_same_v<T, f16>) {
    return f16{f16_bits(value)};
  } else {
    return value;
  }
}

// V neighbouring elements as they are stored.
template <class T, int V>
struct alignas(sizeof(T) * V < 16 ? sizeof(T) * V : 16) Pack {
  T e[V];
};

// V neighbouring elements as the arithmetic sees them.
template <int V>
using Floats = Pack<float, V>;

template <int V, class T>
__device__ __forceinline__ Pack<T, V> load_pack(const T* from) {
  return *reinterpret_cast<const Pack<T, V>*>(from);
}

template <int V, class T>
__device__ __forceinline__ void store_pack(T* to, const Pack<T, V>& pack) {
  *reinterpret_cast<Pack<T, V>*>(to) = pack;
}

template <int V, class T>
__device__ __forceinline__ Floats<V> load(const T* from) {
  const Pack<T, V> pack = load_pack<V>(from);
  Floats<V> result;
#pragma unroll
  for (int k = 0; k < V; k++) result.e[k] = to_float(pack.e[k]);
  return result;
}

// Returns the values as they were stored, that is rounded to T.
template <int V, class T>
__device__ __forceinline__ Floats<V> store(T* to, const Floats<V>& values) {
  Pack<T, V> pack;
  Floats<V> rounded;
#pragma unroll
  for (int k = 0; k < V; k++) {
    pack.e[k] = from_float<T>(values.e[k]);
    rounded.e[k] = to_float(pack.e[k]);
  }
  store_pack<V>(to, pack);
  return rounded;
}

// Calls body(T{}) with the storage type of `dtype`.
template <class Body>
int with_storage(int dtype, Body body) {
  if (dtype == G4_F32) return body(float{});
  if (dtype == G4_BF16) return body(bf16{});
  if (dtype == G4_F16) return body(f16{});
  return G4_UNSUPPORTED;
}

// Calls body(V) as a compile-time constant. `unit`: every row and section starts at a multiple of so many elements of T.
template <class T, class Body>
int with_vector(int64_t unit, Body body) {
  constexpr int kVector = int(16 / sizeof(T));
  if (unit % kVector == 0) return body(std::integral_constant<int, kVector>{});
  return body(std::integral_constant<int, 1>{});
}

inline bool aligned16(const void* address) { return reinterpret_cast<uintptr_t>(address) % 16 == 0; }

}  // namespace g4::cuda
