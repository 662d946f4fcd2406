// What the tests share: tensors in (emulated) device memory, random numbers, comparison with double references.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "emulation.h"
#include "sanitizer.h"
#include "vector.cuh"

namespace g4::test {

inline int failures = 0;
inline int checks = 0;

inline void check(bool ok, const std::string& what) {
  checks++;
  if (ok) return;
  if (failures++ < 40) std::printf("FAILED %s\n", what.c_str());
}

inline int finish(const char* name) {
  std::printf("%s: %d checks, %d failed\n", name, checks, failures);
  return failures == 0 ? 0 : 1;
}

using Doubles = std::vector<double>;
using Ints = std::vector<int32_t>;

inline std::mt19937_64& generator() {
  static std::mt19937_64 g(20240607);
  return g;
}

inline Doubles normal(int64_t n, double scale = 1) {
  std::normal_distribution<double> d(0, scale);
  Doubles x(n);
  for (double& v : x) v = d(generator());
  return x;
}

// A tensor in device memory of exact size, poisoned until set() writes it. get() gives the stored values.
class Tensor {
 public:
  Tensor(int64_t n, int dtype) : n_(n), dtype_(dtype), data_(allocate(bytes())) {}
  Tensor(const Doubles& x, int dtype) : Tensor(int64_t(x.size()), dtype) {
    for (int64_t i = 0; i < n_; i++) {
      if (dtype_ == G4_F32) {
        static_cast<float*>(host())[i] = float(x[i]);
      } else if (dtype_ == G4_F16) {
        static_cast<cuda::f16*>(host())[i] = cuda::from_float<cuda::f16>(float(x[i]));
      } else {
        static_cast<cuda::bf16*>(host())[i] = cuda::from_float<cuda::bf16>(float(x[i]));
      }
    }
  }
  explicit Tensor(int64_t bytes) : Tensor((bytes + 3) / 4, G4_F32) {}
  explicit Tensor(const Ints& x) : Tensor(int64_t(x.size()), G4_I32) { std::memcpy(host(), x.data(), bytes()); }
  Tensor(const Tensor& other) : Tensor(other.n_, other.dtype_) { std::memcpy(host(), other.host(), bytes()); }
  Tensor& operator=(const Tensor&) = delete;
  ~Tensor() { cudaFree(data_); }

  int64_t bytes() const { return n_ * (dtype_ == G4_BF16 || dtype_ == G4_F16 ? 2 : 4); }
  void* data() const { return data_; }
  void* host() const { return emulation::view(data_); }  // tests look behind the device's address
  Doubles get() const {
    Doubles x(n_);
    for (int64_t i = 0; i < n_; i++) {
      if (dtype_ == G4_F32) x[i] = double(static_cast<float*>(host())[i]);
      if (dtype_ == G4_I32) x[i] = double(static_cast<int32_t*>(host())[i]);
      if (dtype_ == G4_BF16) x[i] = double(cuda::to_float(static_cast<cuda::bf16*>(host())[i]));
      if (dtype_ == G4_F16) x[i] = double(cuda::to_float(static_cast<cuda::f16*>(host())[i]));
    }
    return x;
  }
  std::string bits() const { return std::string(static_cast<const char*>(host()), size_t(bytes())); }

 private:
  static void* allocate(int64_t bytes) {
    void* memory = nullptr;
    if (cudaMalloc(&memory, size_t(bytes)) != cudaSuccess) throw std::bad_alloc();
    return memory;
  }

  int64_t n_;
  int dtype_;
  void* data_;
};

// ||a - b|| / ||b||, NaN if either has one
inline double relative(const Doubles& a, const Doubles& b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < b.size(); i++) difference += (a[i] - b[i]) * (a[i] - b[i]), norm += b[i] * b[i];
  return std::sqrt(difference / (norm + 1e-300));
}

struct Run {
  emulation::Order order;
  uint64_t seed;
};

// The thread orders that every case runs in. A sanitizer sees what one order would bring out in another; it is slow, too.
inline const std::vector<Run>& runs() {
  using emulation::Order;
  static const std::vector<Run> all = {{Order::kAscending, 0}, {Order::kDescending, 0}, {Order::kSeeded, 1}, {Order::kSeeded, 2}};
  static const std::vector<Run> one = {{Order::kSeeded, 1}};
  return emulation::kSanitized ? one : all;
}

inline void use(const Run& run) {
  emulation::options().order = run.order;
  emulation::options().seed = run.seed;
}

}  // namespace g4::test
