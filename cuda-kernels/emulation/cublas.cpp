// cuBLAS as the Java back end uses it: general matrix products with fp32 accumulation, column-major, scalars on the host.
//
// Every element is a sum in the order of k, whatever the shape, so a row has the same bits in any batch. (Real cuBLAS promises
// that for one shape only.)
#include <cstdint>
#include <cstring>
#include <vector>

#include "device_memory.h"
#include "stream.h"

using namespace g4::emulation;

namespace {

// Of cublas_api.h and library_types.h, CUDA 13.1.
enum Status { kSuccess = 0, kNotInitialized = 1, kInvalidValue = 7, kNotSupported = 15 };
enum Operation { kNormal = 0, kTranspose = 1 };
enum Type { kF32 = 0, kF16 = 2, kBf16 = 14 };
constexpr int kCompute32F = 68, kCompute32FPedantic = 69;

float from_bf16(uint16_t bits) {
  const uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

uint16_t to_bf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
  return uint16_t((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

size_t size_of(int type) { return type == kF32 ? 4 : 2; }

float load(const void* at, int type, int64_t index) {
  return type == kF32 ? static_cast<const float*>(at)[index] : from_bf16(static_cast<const uint16_t*>(at)[index]);
}

struct Matrix {
  void* data;
  int type;
  int64_t stride;  // between columns
  bool fits(int64_t rows, int64_t columns) const {
    if (rows == 0 || columns == 0) return true;
    return stride >= rows && device_owns(data, size_t((columns - 1) * stride + rows) * size_of(type));
  }
};

// op(m) of rows x columns as dense columns of floats.
std::vector<float> gather(const Matrix& m, bool transposed, int64_t rows, int64_t columns) {
  std::vector<float> all(size_t(rows * columns));
  const void* data = view(m.data);
  for (int64_t c = 0; c < columns; c++)
    for (int64_t r = 0; r < rows; r++) all[size_t(c * rows + r)] = load(data, m.type, transposed ? r * m.stride + c : c * m.stride + r);
  return all;
}

void multiply(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const Matrix& a, const Matrix& b, float beta, const Matrix& c) {
  const std::vector<float> left = gather(a, ta, m, k), right = gather(b, tb, k, n);
  std::vector<float> column(static_cast<size_t>(m));
  void* out = view(c.data);
  for (int64_t j = 0; j < n; j++) {
    for (float& x : column) x = 0.0f;
    for (int64_t l = 0; l < k; l++) {
      const float factor = right[size_t(j * k + l)];
      const float* from = left.data() + l * m;
      for (int64_t i = 0; i < m; i++) column[size_t(i)] += from[i] * factor;
    }
    for (int64_t i = 0; i < m; i++) {
      const int64_t at = j * c.stride + i;
      float value = alpha * column[size_t(i)];
      if (beta != 0.0f) value += beta * load(out, c.type, at);  // with beta 0 the old values are not read: they may be NaN
      if (c.type == kF32) {
        static_cast<float*>(out)[at] = value;
      } else {
        static_cast<uint16_t*>(out)[at] = to_bf16(value);
      }
    }
  }
}

bool known_type(int type) { return type == kF32 || type == kBf16; }

}  // namespace

struct cublasContext {
  cudaStream_t stream = nullptr;
};

extern "C" {

int cublasCreate_v2(cublasContext** handle) {
  *handle = new cublasContext();
  return kSuccess;
}

int cublasDestroy_v2(cublasContext* handle) {
  delete handle;
  return kSuccess;
}

int cublasSetStream_v2(cublasContext* handle, cudaStream_t stream) {
  handle->stream = stream;
  return kSuccess;
}

int cublasSetWorkspace_v2(cublasContext*, void* workspace, size_t bytes) { return device_owns(workspace, bytes) ? kSuccess : kInvalidValue; }

int cublasSetMathMode(cublasContext*, int) { return kSuccess; }

int cublasGetProperty(int property, int* value) {
  *value = property == 0 ? 13 : 1;  // major, minor, patch
  return kSuccess;
}

const char* cublasGetStatusString(int status) {
  switch (status) {
    case kSuccess: return "CUBLAS_STATUS_SUCCESS";
    case kInvalidValue: return "CUBLAS_STATUS_INVALID_VALUE";
    case kNotSupported: return "CUBLAS_STATUS_NOT_SUPPORTED";
    default: return "CUBLAS_STATUS_INTERNAL_ERROR";
  }
}

int cublasGemmEx_64(cublasContext* handle, int ta, int tb, int64_t m, int64_t n, int64_t k, const void* alpha, const void* a, int a_type, int64_t lda,
                    const void* b, int b_type, int64_t ldb, const void* beta, void* c, int c_type, int64_t ldc, int compute, int) {
  // The combinations that the manual lists for CUBLAS_COMPUTE_32F, as far as they are needed here.
  if (!known_type(a_type) || a_type != b_type || (c_type != a_type && c_type != kF32)) return kNotSupported;
  if (compute != kCompute32F && compute != kCompute32FPedantic) return kNotSupported;
  if (ta > kTranspose || tb > kTranspose || m < 0 || n < 0 || k < 0) return kInvalidValue;
  const Matrix left{const_cast<void*>(a), a_type, lda}, right{const_cast<void*>(b), b_type, ldb}, out{c, c_type, ldc};
  const bool fits = (ta == kNormal ? left.fits(m, k) : left.fits(k, m)) && (tb == kNormal ? right.fits(k, n) : right.fits(n, k)) && out.fits(m, n);
  if (!fits) return kInvalidValue;
  if (m == 0 || n == 0) return kSuccess;
  float factor, old;
  std::memcpy(&factor, alpha, sizeof factor);
  std::memcpy(&old, beta, sizeof old);
  enqueue(handle->stream, [=] { multiply(ta == kTranspose, tb == kTranspose, m, n, k, factor, left, right, old, out); });
  return kSuccess;
}

}  // extern "C"
