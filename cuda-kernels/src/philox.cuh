// Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011): random numbers as a function of (key, counter), so that a draw depends on
// which token of which answer it is for, and on nothing that happened before.
#pragma once

#include "device.cuh"

namespace g4::cuda {

struct PhiloxWords {
  uint32_t w[4];
};

__host__ __device__ inline PhiloxWords philox4x32(PhiloxWords counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; round++) {
    const uint64_t a = uint64_t(0xD2511F53u) * counter.w[0];
    const uint64_t b = uint64_t(0xCD9E8D57u) * counter.w[2];
    counter = {{uint32_t(b >> 32) ^ counter.w[1] ^ key0, uint32_t(b), uint32_t(a >> 32) ^ counter.w[3] ^ key1, uint32_t(a)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

// A whole number below 2^53 from the first two words, 27 bits of one and 26 of the other. Divided by 2^53 it is the uniform
// number that the CPU kernels draw with.
__host__ __device__ inline uint64_t uniform53(const uint32_t* counter, uint64_t seed) {
  const PhiloxWords out = philox4x32({{counter[0], counter[1], counter[2], counter[3]}}, uint32_t(seed), uint32_t(seed >> 32));
  return uint64_t(out.w[0] >> 5) << 26 | out.w[1] >> 6;
}

}  // namespace g4::cuda
