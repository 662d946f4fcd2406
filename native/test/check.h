// The little that the native tests need: buffers of exact size (so that AddressSanitizer sees every step too far), random
// numbers, and checks that print what failed.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "simd/bf16.h"

inline int g_failures = 0;
inline int g_checks = 0;

inline void check(bool ok, const std::string& what) {
  g_checks++;
  if (ok) return;
  if (g_failures++ < 40) std::printf("FAILED: %s\n", what.c_str());
}

inline int report() {
  std::printf("%d checks, %d failed\n", g_checks, g_failures);
  return g_failures == 0 ? 0 : 1;
}

// Deterministic numbers, splitmix64 (Steele, Lea & Flood 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  float uniform() { return float(double(next() >> 11) * 0x1p-52 - 1.0); }  // [-1, 1)
  int64_t below(int64_t n) { return int64_t(next() % uint64_t(n)); }

 private:
  uint64_t state_;
};

template <class T>
class Buffer {
 public:
  explicit Buffer(int64_t count) : count_(count) {
    void* address = nullptr;
    if (posix_memalign(&address, 64, size_t(count > 0 ? count : 1) * sizeof(T)) != 0) throw std::bad_alloc();
    data_ = static_cast<T*>(address);
    std::memset(address, 0, size_t(count) * sizeof(T));
  }
  Buffer(const Buffer& other) : Buffer(other.count_) { std::memcpy(data_, other.data_, bytes()); }
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(data_); }

  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](int64_t i) { return data_[i]; }
  const T& operator[](int64_t i) const { return data_[i]; }
  int64_t count() const { return count_; }
  size_t bytes() const { return size_t(count_) * sizeof(T); }

  void fill_random(Random& random, float scale = 1.0f) {
    for (int64_t i = 0; i < count_; i++) data_[i] = g4::from_float<T>(scale * random.uniform());
  }
  bool same_bits(const Buffer& other) const { return count_ == other.count_ && std::memcmp(data_, other.data_, bytes()) == 0; }

 private:
  int64_t count_;
  T* data_;
};
