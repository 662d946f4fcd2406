// cuBLASLt as the Java back end uses it: D = op(A) op(B) (+ D) (+ bias), column-major, fp32 sums, scalars on the host.
//
// Every element is a sum in the order of k, whatever the shape, so a row has the same bits in any batch. (The real library promises
// the same bits for the same call only.) What the real one leaves to the caller is checked: an algorithm serves the shape,
// types, epilogue and alignments that it was asked for, and its workspace, which it writes to, must be there. An attribute or a
// combination that nothing here honours is refused, not ignored.
//
// Names, numbers and sizes of structs: cublasLt.h and library_types.h of CUDA 13.1.
#include <cstdint>
#include <cstring>
#include <vector>

#include "device_memory.h"
#include "half.h"
#include "stream.h"

using namespace g4::emulation;

namespace {

enum Status { kSuccess = 0, kInvalidValue = 7, kNotSupported = 15 };
enum Type { kF32 = 0, kF16 = 2, kBf16 = 14 };
enum Operation { kNormal = 0, kTranspose = 1 };
enum Epilogue { kDefault = 1, kBias = 4 };
constexpr int kCompute32F = 68;
constexpr uint64_t kWorkspaceBytes = 4096;  // what an algorithm here says it needs, where it may

// The opaque structs begin with what they are, so that one in another's place, or none, is noticed.
enum Kind : uint64_t { kLayoutKind = 0x67344c61796f7574, kDescriptorKind = 0x6734446573637269, kPreferenceKind = 0x6734507265666572, kAlgorithmKind = 0x6734416c676f7269 };

struct Layout {
  uint64_t kind;
  uint64_t rows, columns;
  int64_t stride;  // between columns
  int type;
};

struct Descriptor {
  uint64_t kind;
  const void* bias;
  int scale, compute, transpose_a, transpose_b, epilogue, bias_type;
};

struct Preference {
  uint64_t kind;
  uint64_t workspace;
  uint32_t reductions;
  uint32_t alignment[4];  // of A, B, C, D
};

struct Algorithm {
  uint64_t kind;
  uint64_t problem;
  uint64_t workspace;
  uint32_t alignment[4];
};

struct HeuristicResult {  // cublasLtMatmulHeuristicResult_t
  uint64_t algorithm[8];
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};

template <class T>
int init(void* at, size_t size, const T& value) {
  if (at == nullptr || size < sizeof(T)) return kInvalidValue;
  std::memset(at, 0, size);
  std::memcpy(at, &value, sizeof value);
  return kSuccess;
}

template <class T>
const T* as(const void* at, Kind kind) {
  const T* typed = static_cast<const T*>(at);
  return at != nullptr && typed->kind == kind ? typed : nullptr;
}

template <class T>
int assign(T& field, const void* value, size_t size) {
  if (value == nullptr || size != sizeof(T)) return kInvalidValue;
  std::memcpy(&field, value, size);
  return kSuccess;
}

size_t size_of(int type) { return type == kF32 ? 4 : 2; }
bool known(int type) { return type == kF32 || type == kBf16 || type == kF16; }

float load(const void* at, int type, int64_t index) {
  if (type == kF32) return static_cast<const float*>(at)[index];
  const uint16_t bits = static_cast<const uint16_t*>(at)[index];
  return type == kF16 ? f16_value(bits) : bf16_to_float(bits);
}

uint16_t bf16_bits(float value) {
  const uint32_t bits = bits_of(value);
  return (bits & 0x7fffffffu) > 0x7f800000u ? 0x7fff : uint16_t((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

void store(void* at, int type, int64_t index, float value) {
  if (type == kF32) {
    static_cast<float*>(at)[index] = value;
  } else {
    static_cast<uint16_t*>(at)[index] = type == kF16 ? f16_bits(value) : bf16_bits(value);
  }
}

bool in_device(const void* data, const Layout& layout) {
  if (layout.rows == 0 || layout.columns == 0) return true;
  return device_owns(data, ((layout.columns - 1) * size_t(layout.stride) + layout.rows) * size_of(layout.type));
}

struct Problem {
  Descriptor descriptor;
  Layout a, b, d;
  int64_t m() const { return int64_t(d.rows); }
  int64_t n() const { return int64_t(d.columns); }
  int64_t k() const { return int64_t(descriptor.transpose_a == kTranspose ? a.rows : a.columns); }

  // Whether it is a product, and one of those that the manual lists for CUBLAS_COMPUTE_32F, as far as they are needed here.
  int status() const {
    const bool ta = descriptor.transpose_a == kTranspose, tb = descriptor.transpose_b == kTranspose;
    if ((ta ? a.columns : a.rows) != d.rows || (tb ? b.rows : b.columns) != d.columns) return kInvalidValue;
    if ((tb ? b.columns : b.rows) != uint64_t(k())) return kInvalidValue;
    for (const Layout* l : {&a, &b, &d})
      if (l->stride < int64_t(l->rows)) return kInvalidValue;
    if (descriptor.compute != kCompute32F || descriptor.scale != kF32) return kNotSupported;
    if (!known(a.type) || a.type != b.type || (d.type != a.type && d.type != kF32)) return kNotSupported;
    if (descriptor.epilogue != kDefault && descriptor.epilogue != kBias) return kNotSupported;
    if (descriptor.epilogue == kBias && descriptor.bias_type != -1 && descriptor.bias_type != d.type) return kNotSupported;
    return kSuccess;
  }

  // FNV-1a over all that an algorithm is chosen for.
  uint64_t identity() const {
    uint64_t hash = 0xcbf29ce484222325;
    const auto mix = [&](uint64_t value) { hash = (hash ^ value) * 0x100000001b3; };
    for (const Layout* l : {&a, &b, &d}) mix(l->rows), mix(l->columns), mix(uint64_t(l->stride)), mix(uint64_t(l->type));
    mix(uint64_t(descriptor.transpose_a)), mix(uint64_t(descriptor.transpose_b)), mix(uint64_t(descriptor.epilogue)), mix(uint64_t(descriptor.bias_type));
    return hash;
  }
};

// From the handles of a call; false where one is missing or another kind of thing, or where C is not laid out as D is.
bool read(Problem& p, const void* descriptor, const void* a, const void* b, const void* c, const void* d) {
  const auto* desc = as<Descriptor>(descriptor, kDescriptorKind);
  const auto *la = as<Layout>(a, kLayoutKind), *lb = as<Layout>(b, kLayoutKind), *lc = as<Layout>(c, kLayoutKind), *ld = as<Layout>(d, kLayoutKind);
  if (desc == nullptr || la == nullptr || lb == nullptr || lc == nullptr || ld == nullptr) return false;
  p = {*desc, *la, *lb, *ld};
  return lc->rows == ld->rows && lc->columns == ld->columns && lc->stride == ld->stride && lc->type == ld->type;
}

// op(matrix) of rows x columns as dense columns of floats.
std::vector<float> gather(const void* address, const Layout& layout, bool transposed, int64_t rows, int64_t columns) {
  std::vector<float> all(size_t(rows * columns));
  const void* data = view(address);
  for (int64_t c = 0; c < columns; c++)
    for (int64_t r = 0; r < rows; r++) all[size_t(c * rows + r)] = load(data, layout.type, transposed ? r * layout.stride + c : c * layout.stride + r);
  return all;
}

void multiply(const Problem& p, float alpha, const void* a, const void* b, float beta, void* d) {
  const int64_t m = p.m(), n = p.n(), k = p.k();
  const std::vector<float> left = gather(a, p.a, p.descriptor.transpose_a == kTranspose, m, k);
  const std::vector<float> right = gather(b, p.b, p.descriptor.transpose_b == kTranspose, k, n);
  std::vector<float> column(static_cast<size_t>(m));
  void* out = view(d);
  const void* bias = p.descriptor.epilogue == kBias ? view(p.descriptor.bias) : nullptr;
  for (int64_t j = 0; j < n; j++) {
    for (float& x : column) x = 0.0f;
    for (int64_t l = 0; l < k; l++) {
      const float factor = right[size_t(j * k + l)];
      const float* from = left.data() + l * m;
      for (int64_t i = 0; i < m; i++) column[size_t(i)] += from[i] * factor;
    }
    for (int64_t i = 0; i < m; i++) {
      const int64_t at = j * p.d.stride + i;
      float value = alpha * column[size_t(i)];
      if (beta != 0.0f) value += beta * load(out, p.d.type, at);  // with beta 0 the old values are not read: they may be NaN
      if (bias != nullptr) value += load(bias, p.d.type, i);
      store(out, p.d.type, at, value);
    }
  }
}

}  // namespace

struct cublasLtContext {};

extern "C" {

int cublasLtCreate(cublasLtContext** handle) {
  *handle = new cublasLtContext();
  return kSuccess;
}

int cublasLtDestroy(cublasLtContext* handle) {
  delete handle;
  return kSuccess;
}

int cublasLtGetProperty(int property, int* value) {
  *value = property == 0 ? 13 : 1;  // major, minor, patch
  return kSuccess;
}

const char* cublasLtGetStatusString(int status) {
  switch (status) {
    case kSuccess: return "CUBLAS_STATUS_SUCCESS";
    case kInvalidValue: return "CUBLAS_STATUS_INVALID_VALUE";
    case kNotSupported: return "CUBLAS_STATUS_NOT_SUPPORTED";
    default: return "CUBLAS_STATUS_INTERNAL_ERROR";
  }
}

int cublasLtMatrixLayoutInit_internal(void* layout, size_t size, int type, uint64_t rows, uint64_t columns, int64_t stride) {
  return init(layout, size, Layout{kLayoutKind, rows, columns, stride, type});
}

int cublasLtMatmulDescInit_internal(void* descriptor, size_t size, int compute, int scale) {
  return init(descriptor, size, Descriptor{kDescriptorKind, nullptr, scale, compute, kNormal, kNormal, kDefault, -1});
}

int cublasLtMatmulDescSetAttribute(void* descriptor, int attribute, const void* value, size_t size) {
  if (as<Descriptor>(descriptor, kDescriptorKind) == nullptr) return kInvalidValue;
  Descriptor& d = *static_cast<Descriptor*>(descriptor);
  switch (attribute) {
    case 3: return assign(d.transpose_a, value, size);  // CUBLASLT_MATMUL_DESC_TRANSA
    case 4: return assign(d.transpose_b, value, size);  // _TRANSB
    case 7: return assign(d.epilogue, value, size);     // _EPILOGUE
    case 8: return assign(d.bias, value, size);         // _BIAS_POINTER
    case 26: return assign(d.bias_type, value, size);   // _BIAS_DATA_TYPE
    default: return kNotSupported;
  }
}

int cublasLtMatmulPreferenceInit_internal(void* preference, size_t size) {
  return init(preference, size, Preference{kPreferenceKind, 0, 7, {256, 256, 256, 256}});
}

// A sum here is one chain, which every mask of reductions allows.
int cublasLtMatmulPreferenceSetAttribute(void* preference, int attribute, const void* value, size_t size) {
  if (as<Preference>(preference, kPreferenceKind) == nullptr) return kInvalidValue;
  Preference& p = *static_cast<Preference*>(preference);
  switch (attribute) {
    case 1: return assign(p.workspace, value, size);                                        // CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES
    case 3: return assign(p.reductions, value, size);                                       // _REDUCTION_SCHEME_MASK
    case 5: case 6: case 7: case 8: return assign(p.alignment[attribute - 5], value, size);  // _MIN_ALIGNMENT_A_BYTES to _D_BYTES
    default: return kNotSupported;
  }
}

int cublasLtMatmulAlgoGetHeuristic(cublasLtContext*, const void* descriptor, const void* a, const void* b, const void* c, const void* d, const void* preference,
                                   int requested, HeuristicResult* results, int* returned) {
  *returned = 0;
  Problem problem;
  const auto* wanted = as<Preference>(preference, kPreferenceKind);
  if (wanted == nullptr || requested < 1 || !read(problem, descriptor, a, b, c, d)) return kInvalidValue;
  if (const int status = problem.status(); status != kSuccess) return status;
  const uint64_t workspace = wanted->workspace < kWorkspaceBytes ? wanted->workspace : kWorkspaceBytes;
  Algorithm algorithm{kAlgorithmKind, problem.identity(), workspace, {}};
  std::memcpy(algorithm.alignment, wanted->alignment, sizeof algorithm.alignment);
  results[0] = {};
  std::memcpy(results[0].algorithm, &algorithm, sizeof algorithm);
  results[0].workspace = workspace;
  results[0].waves = 1.0f;
  *returned = 1;
  return kSuccess;
}

int cublasLtMatmul(cublasLtContext*, const void* descriptor, const void* alpha, const void* a, const void* a_layout, const void* b, const void* b_layout,
                   const void* beta, const void* c, const void* c_layout, void* d, const void* d_layout, const void* algorithm, void* workspace,
                   size_t workspace_bytes, cudaStream_t stream) {
  Problem problem;
  const auto* chosen = as<Algorithm>(algorithm, kAlgorithmKind);
  if (chosen == nullptr || !read(problem, descriptor, a_layout, b_layout, c_layout, d_layout)) return kInvalidValue;
  if (const int status = problem.status(); status != kSuccess) return status;
  if (chosen->problem != problem.identity() || c != d) return kNotSupported;
  const void* const addresses[] = {a, b, c, d};
  for (int i = 0; i < 4; i++)
    if (reinterpret_cast<uintptr_t>(addresses[i]) % chosen->alignment[i] != 0) return kNotSupported;
  if (workspace_bytes < chosen->workspace || (chosen->workspace > 0 && !device_owns(workspace, workspace_bytes))) return kInvalidValue;
  if (!in_device(a, problem.a) || !in_device(b, problem.b) || !in_device(d, problem.d)) return kInvalidValue;
  if (problem.descriptor.epilogue == kBias && !device_owns(problem.descriptor.bias, problem.d.rows * size_of(problem.d.type))) return kInvalidValue;
  if (problem.m() == 0 || problem.n() == 0) return kSuccess;
  float factor, old;
  std::memcpy(&factor, alpha, sizeof factor);
  std::memcpy(&old, beta, sizeof old);
  enqueue(stream, [=, used = chosen->workspace] {
    std::memset(view(static_cast<char*>(workspace)), 0xFF, used);
    multiply(problem, factor, a, b, old, d);
  });
  return kSuccess;
}

}  // extern "C"
