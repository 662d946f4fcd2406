// What the tests of the row kernels share: tensors in device memory, random numbers, comparisons with double references.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "grpo4j/ops.h"
#include "simd/bf16.h"

namespace reference {

inline int failures = 0;

inline void check(bool ok, const std::string& what) {
  if (ok) return;
  failures++;
  std::printf("FAILED %s\n", what.c_str());
}

inline int finish(const char* name) {
  std::printf("%s: %s\n", name, failures == 0 ? "ok" : "FAILED");
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

// A tensor in g4_alloc memory, of F32 or BF16. Reading gives the stored values as doubles.
class Tensor {
 public:
  Tensor(int64_t n, int dtype = G4_F32) : n_(n), dtype_(dtype), data_(g4_alloc(bytes() + 64)) {}
  Tensor(const Doubles& x, int dtype = G4_F32) : Tensor(int64_t(x.size()), dtype) { set(x); }
  Tensor(const Tensor& other) : Tensor(other.n_, other.dtype_) { std::memcpy(data_, other.data_, bytes()); }
  Tensor& operator=(const Tensor&) = delete;
  ~Tensor() { g4_free(data_, bytes() + 64); }

  int64_t size() const { return n_; }
  int64_t bytes() const { return n_ * (dtype_ == G4_F32 ? 4 : 2); }
  void* data() const { return data_; }
  float* floats() const { return static_cast<float*>(data_); }
  void set(const Doubles& x) {
    for (int64_t i = 0; i < n_; i++) {
      if (dtype_ == G4_F32) floats()[i] = float(x[i]);
      else static_cast<g4::bf16*>(data_)[i] = g4::to_bf16(float(x[i]));
    }
  }
  Doubles get() const {
    Doubles x(n_);
    for (int64_t i = 0; i < n_; i++) x[i] = dtype_ == G4_F32 ? floats()[i] : g4::to_float(static_cast<const g4::bf16*>(data_)[i]);
    return x;
  }
  bool same_bits(const Tensor& other) const { return bytes() == other.bytes() && std::memcmp(data_, other.data_, bytes()) == 0; }

 private:
  int64_t n_;
  int dtype_;
  void* data_;
};

// ||a - b|| / ||b||
inline double relative(const Doubles& a, const Doubles& b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < b.size(); i++) difference += (a[i] - b[i]) * (a[i] - b[i]), norm += b[i] * b[i];
  return std::sqrt(difference / (norm > 0 ? norm : 1));
}

inline void near(const Doubles& a, const Doubles& b, double tolerance, const std::string& what) {
  const double error = relative(a, b);
  check(error <= tolerance, what + ": relative error " + std::to_string(error / tolerance) + " times the tolerance");
}

inline void close(double a, double b, double tolerance, const std::string& what) {
  check(std::fabs(a - b) <= tolerance, what + ": " + std::to_string(a) + " instead of " + std::to_string(b));
}

// body(stream, name) on every instruction set of this machine and 1, 2 and 3 threads.
inline void on_every_stream(const std::function<void(g4_stream, const std::string&)>& body) {
  const char* names[] = {"baseline", "avx2", "avx512", "avx512_bf16"};
  for (int isa = 0; isa < 4; isa++) {
    for (int threads = 1; threads <= 3; threads++) {
      g4_stream stream = nullptr;
      check(g4_stream_create(threads, isa, &stream) == G4_OK, "stream");
      if (g4_stream_isa(stream) == isa) body(stream, std::string(names[isa]) + "/" + std::to_string(threads));
      g4_stream_destroy(stream);
    }
  }
}

}  // namespace reference
