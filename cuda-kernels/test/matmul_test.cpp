// The emulated cuBLASLt: products of every type against sums in double, with and without bias, and what the real library leaves to
// its caller, which is refused here.
#include <array>

#include "device_memory.h"
#include "device_tensor.h"
#include "stream.h"

using namespace g4::test;
namespace emulation = g4::emulation;

extern "C" {
struct cublasLtContext;
int cublasLtCreate(cublasLtContext** handle);
int cublasLtDestroy(cublasLtContext* handle);
int cublasLtMatrixLayoutInit_internal(void* layout, size_t size, int type, uint64_t rows, uint64_t columns, int64_t stride);
int cublasLtMatmulDescInit_internal(void* descriptor, size_t size, int compute, int scale);
int cublasLtMatmulDescSetAttribute(void* descriptor, int attribute, const void* value, size_t size);
int cublasLtMatmulPreferenceInit_internal(void* preference, size_t size);
int cublasLtMatmulPreferenceSetAttribute(void* preference, int attribute, const void* value, size_t size);
int cublasLtMatmulAlgoGetHeuristic(cublasLtContext*, const void*, const void*, const void*, const void*, const void*, const void*, int, void*, int*);
int cublasLtMatmul(cublasLtContext*, const void*, const void*, const void*, const void*, const void*, const void*, const void*, const void*, const void*, void*,
                   const void*, const void*, void*, size_t, cudaStream_t);
}

namespace {

constexpr int kSuccess = 0, kInvalidValue = 7, kNotSupported = 15;
constexpr int kF32 = 0, kF16 = 2, kBf16 = 14;
constexpr int kTransposeA = 3, kTransposeB = 4, kEpilogue = 7, kBiasPointer = 8;  // attributes
constexpr int kM = 5, kN = 7, kK = 9;

using Opaque = std::array<uint64_t, 32>;

template <class T>
int set(Opaque& descriptor, int attribute, T value) {
  return cublasLtMatmulDescSetAttribute(descriptor.data(), attribute, &value, sizeof value);
}

// d [5, 7] = 2 op(a) op(b) + beta d + bias, column-major, with what its call takes.
struct Product {
  Product(int ta, int tb, int type, int d_type, bool with_bias)
      : lda((ta ? kK : kM) + 1), ldb(tb ? kN : kK), ldd(kM + 2), ta(ta), tb(tb), a(normal(lda * (ta ? kM : kK)), storage(type)),
        b(normal(ldb * (tb ? kK : kN)), storage(type)), d(normal(ldd * kN), storage(d_type)), bias(normal(kM), storage(d_type)), workspace(int64_t(8192)) {
    cublasLtCreate(&handle);
    cublasLtMatrixLayoutInit_internal(la.data(), 64, type, ta ? kK : kM, ta ? kM : kK, lda);
    cublasLtMatrixLayoutInit_internal(lb.data(), 64, type, tb ? kN : kK, tb ? kK : kN, ldb);
    cublasLtMatrixLayoutInit_internal(ld.data(), 64, d_type, kM, kN, ldd);
    cublasLtMatmulDescInit_internal(descriptor.data(), 256, 68, kF32);
    set(descriptor, kTransposeA, ta);
    set(descriptor, kTransposeB, tb);
    if (with_bias) {
      set(descriptor, kEpilogue, 4);
      set(descriptor, kBiasPointer, bias.data());
    }
    cublasLtMatmulPreferenceInit_internal(preference.data(), 64);
    const uint64_t bytes = 8192;
    cublasLtMatmulPreferenceSetAttribute(preference.data(), 1, &bytes, sizeof bytes);
  }
  ~Product() { cublasLtDestroy(handle); }

  static int storage(int type) { return type == kF32 ? G4_F32 : type == kF16 ? G4_F16 : G4_BF16; }

  int choose() {
    int count = 0;
    const int status = cublasLtMatmulAlgoGetHeuristic(handle, descriptor.data(), la.data(), lb.data(), ld.data(), ld.data(), preference.data(), 1, algorithm.data(), &count);
    return status == kSuccess && count != 1 ? -1 : status;
  }

  int run(float beta, const void* from, size_t workspace_bytes = 8192) {
    const float alpha = 2;
    return cublasLtMatmul(handle, descriptor.data(), &alpha, from, la.data(), b.data(), lb.data(), &beta, d.data(), ld.data(), d.data(), ld.data(),
                          algorithm.data(), workspace.data(), workspace_bytes, nullptr);
  }

  int64_t lda, ldb, ldd;
  int ta, tb;
  Tensor a, b, d, bias, workspace;
  Opaque la{}, lb{}, ld{}, descriptor{}, preference{}, algorithm{};
  cublasLtContext* handle = nullptr;
};

void test_product(int ta, int tb, int type, int d_type, float beta, bool with_bias) {
  Product p(ta, tb, type, d_type, with_bias);
  const Doubles x = p.a.get(), y = p.b.get(), bias = p.bias.get();
  Doubles expected = p.d.get();
  for (int64_t j = 0; j < kN; j++)
    for (int64_t i = 0; i < kM; i++) {
      double sum = 0;
      for (int64_t l = 0; l < kK; l++) sum += x[ta ? i * p.lda + l : l * p.lda + i] * y[tb ? l * p.ldb + j : j * p.ldb + l];
      expected[j * p.ldd + i] = 2 * sum + double(beta) * expected[j * p.ldd + i] + (with_bias ? bias[i] : 0);
    }
  check(p.choose() == kSuccess && p.run(beta, p.a.data()) == kSuccess, "a product");
  check(relative(p.d.get(), expected) < (d_type == kF32 ? 1e-6 : d_type == kF16 ? 5e-4 : 4e-3), "its values");
}

void test_refusals() {
  Product p(1, 0, kBf16, kBf16, true);
  check(p.run(0, p.a.data()) == kInvalidValue, "no algorithm was chosen");
  check(p.choose() == kSuccess, "one is");
  check(p.run(0, static_cast<char*>(p.a.data()) + 2) == kNotSupported, "an address that is less aligned than was promised");
  check(p.run(0, p.a.data(), 16) == kInvalidValue, "less workspace than the algorithm takes");
  check(p.run(0, p.a.host()) == kInvalidValue, "memory of the host");
  set(p.descriptor, kBiasPointer, static_cast<void*>(nullptr));
  check(p.run(0, p.a.data()) == kInvalidValue, "a bias that is nowhere");
  set(p.descriptor, kEpilogue, 1);
  check(p.run(0, p.a.data()) == kNotSupported, "an algorithm for another epilogue");
  for (int epilogue : {2, 32, 152, 256, 512}) {
    set(p.descriptor, kEpilogue, epilogue);
    check(p.choose() == kNotSupported, "an epilogue that nothing here does");
  }
  check(set(p.descriptor, 2, 1) == kNotSupported, "scalars on the device are not known here");
  check(set(p.descriptor, kEpilogue, int64_t(1)) == kInvalidValue, "an attribute of another size");
  const uint64_t mask = 1;
  check(cublasLtMatmulPreferenceSetAttribute(p.preference.data(), 12, &mask, sizeof mask) == kNotSupported, "a preference that is not known here");
  Product other(0, 0, kBf16, kBf16, false);
  check(other.choose() == kSuccess, "another product");
  p.algorithm = other.algorithm;
  set(p.descriptor, kEpilogue, 1);
  check(p.run(0, p.a.data()) == kNotSupported, "an algorithm for another product");
  cublasLtMatmulDescInit_internal(other.descriptor.data(), 256, 77, kF32);
  check(other.choose() == kNotSupported, "TF32 is not what is asked for");
  Product mixed(0, 0, kF16, kBf16, false);
  check(mixed.choose() == kNotSupported, "fp16 into bf16");
}

}  // namespace

int main() {
  for (int ta : {0, 1})
    for (int tb : {0, 1})
      for (float beta : {0.0f, 1.0f})
        for (bool bias : {false, true}) {
          for (int type : {kF32, kF16, kBf16}) test_product(ta, tb, type, type, beta, bias);
          for (int type : {kF16, kBf16}) test_product(ta, tb, type, kF32, beta, bias);
        }
  test_refusals();
  check(emulation::error().empty(), emulation::error());
  return finish("cuda matmul_test");
}
