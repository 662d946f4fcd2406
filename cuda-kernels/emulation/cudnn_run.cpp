// What a graph computes: every tensor in full, one operation after the other, in fp32, rounded to the type it is declared with.
//
// Rows of a sequence beyond its length do not exist in memory. Here they are read as NaN and never written, so a graph whose masks
// or lengths let one of them through gives NaN.
#include <cmath>
#include <cstring>
#include <limits>

#include "cudnn_graph.h"
#include "device_memory.h"
#include "emulation.h"
#include "half.h"

namespace g4::emulation::cudnn {

namespace {

uint16_t bf16_bits(float value) {
  const uint32_t bits = bits_of(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
  return uint16_t((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

float rounded(float value, int element) {
  return element == kBf16 ? bf16_to_float(bf16_bits(value)) : element == kF16 ? f16_value(f16_bits(value)) : value;
}

size_t size_of(int element) { return element == kI64 ? 8 : element == kF32 || element == kI32 ? 4 : 2; }

struct Run {
  const Addresses& addresses;
  std::map<int64_t, std::vector<float>> values;  // dense, by tensor id
  bool failed = false;

  template <class T>
  T* at(const Tensor& tensor, int64_t element) {
    char* address = static_cast<char*>(addresses.at(tensor.id)) + element * int64_t(size_of(tensor.element));
    if (tensor.by_value) return reinterpret_cast<T*>(address);
    if (!device_owns(address, sizeof(T))) {
      if (!failed) fail("cuDNN reads or writes tensor " + std::to_string(tensor.id) + " outside every allocation, at element " + std::to_string(element));
      failed = true;
      static T nowhere;
      return &nowhere;
    }
    return reinterpret_cast<T*>(view(address));
  }

  int64_t whole(const Tensor& tensor, int64_t element) { return tensor.element == kI64 ? *at<int64_t>(tensor, element) : *at<int32_t>(tensor, element); }

  float load(const Tensor& tensor, int64_t element) {
    switch (tensor.element) {
      case kF32: return *at<float>(tensor, element);
      case kBf16: return bf16_to_float(*at<uint16_t>(tensor, element));
      case kF16: return f16_value(*at<uint16_t>(tensor, element));
      default: return float(whole(tensor, element));
    }
  }

  void store(const Tensor& tensor, int64_t element, float value) {
    if (tensor.element == kF32) {
      *at<float>(tensor, element) = value;
    } else {
      *at<uint16_t>(tensor, element) = tensor.element == kBf16 ? bf16_bits(value) : f16_bits(value);
    }
  }

  // Calls body(place in memory, place in a dense copy) for every element that exists.
  template <class Body>
  void each_in_memory(const Tensor& tensor, Body body) {
    const int cut = tensor.ragged_dimension();
    for (int64_t batch = 0; batch < tensor.shape[0]; batch++) {
      int64_t begin = batch * tensor.strides[0], length = tensor.shape[cut];
      if (tensor.offsets != nullptr) {
        begin = whole(*tensor.offsets, batch);
        length = std::min(length, (whole(*tensor.offsets, batch + 1) - begin) / tensor.strides[cut]);
      }
      Shape i{batch, 0, 0, 0};
      for (i[1] = 0; i[1] < tensor.shape[1]; i[1]++)
        for (i[2] = 0; i[2] < tensor.shape[2]; i[2]++)
          for (i[3] = 0; i[3] < tensor.shape[3]; i[3]++)
            if (i[cut] < length)
              body(begin + i[1] * tensor.strides[1] + i[2] * tensor.strides[2] + i[3] * tensor.strides[3],
                   ((batch * tensor.shape[1] + i[1]) * tensor.shape[2] + i[2]) * tensor.shape[3] + i[3]);
    }
  }

  const std::vector<float>& read(const Tensor& tensor) {
    const auto known = values.find(tensor.id);
    if (known != values.end()) return known->second;
    std::vector<float> dense(size_t(tensor.size()), std::numeric_limits<float>::quiet_NaN());
    each_in_memory(tensor, [&](int64_t element, int64_t place) { dense[size_t(place)] = load(tensor, element); });
    return values[tensor.id] = std::move(dense);
  }

  void write(const Tensor& tensor, std::vector<float> dense) {
    if (!tensor.is_virtual) {  // and whoever reads it finds what is in memory by then
      each_in_memory(tensor, [&](int64_t element, int64_t place) { store(tensor, element, dense[size_t(place)]); });
      return;
    }
    for (float& value : dense) value = rounded(value, tensor.element);
    values[tensor.id] = std::move(dense);
  }

  int64_t limit(const std::shared_ptr<const Tensor>& lengths, int64_t batch, int64_t size) {
    return lengths == nullptr ? size : std::min(size, int64_t(read(*lengths)[size_t(batch)]));
  }

  // Outside the lengths the result is 0.
  void multiply(const Operation& op) {
    const Tensor &a = op.x, &b = *op.b, &c = op.y;
    const std::vector<float>&left = read(a), &right = read(b);
    std::vector<float> out(size_t(c.size()), 0.0f);
    const int64_t rows = c.shape[2], columns = c.shape[3], depth = a.shape[3], group = a.shape[1] / b.shape[1];
    for (int64_t batch = 0; batch < c.shape[0]; batch++) {
      const int64_t m = limit(op.rows, batch, rows), n = limit(op.columns, batch, columns), k = limit(op.depth, batch, depth);
      for (int64_t head = 0; head < c.shape[1]; head++) {
        const float* x = left.data() + (batch * c.shape[1] + head) * rows * depth;
        const float* y = right.data() + (batch % b.shape[0] * b.shape[1] + head / group) * depth * columns;
        float* z = out.data() + (batch * c.shape[1] + head) * rows * columns;
        for (int64_t i = 0; i < m; i++)
          for (int64_t l = 0; l < k; l++)
            for (int64_t j = 0; j < n; j++) z[i * columns + j] += x[i * depth + l] * y[l * columns + j];
      }
    }
    write(c, std::move(out));
  }

  // Place in a dense tensor that is 1 long wherever it is shorter than the index reaches.
  static int64_t broadcast(const Tensor& tensor, const Shape& i) {
    int64_t place = 0;
    for (int d = 0; d < 4; d++) place = place * tensor.shape[d] + (tensor.shape[d] == 1 ? 0 : i[d]);
    return place;
  }

  static float compute(int mode, float x, float b, float t) {
    switch (mode) {
      case kAdd: return x + b;
      case kSub: return x - b;
      case kMul: return x * b;
      case kDiv: return x / b;
      case kExp: return std::exp(x);
      case kLog: return std::log(x);
      case kGreaterOrEqual: return x >= b ? 1.0f : 0.0f;
      case kLess: return x < b ? 1.0f : 0.0f;
      case kAnd: return x != 0 && b != 0 ? 1.0f : 0.0f;
      default: return t != 0 ? x : b;  // kSelect
    }
  }

  template <class Body>
  static void each(const Shape& shape, Body body) {
    Shape i;
    int64_t place = 0;
    for (i[0] = 0; i[0] < shape[0]; i[0]++)
      for (i[1] = 0; i[1] < shape[1]; i[1]++)
        for (i[2] = 0; i[2] < shape[2]; i[2]++)
          for (i[3] = 0; i[3] < shape[3]; i[3]++) body(i, size_t(place++));
  }

  void pointwise(const Operation& op) {
    std::vector<float> out(size_t(op.y.size()));
    const std::vector<float>& x = read(op.x);
    const std::vector<float>* b = op.b == nullptr ? nullptr : &read(*op.b);
    const std::vector<float>* t = op.t == nullptr ? nullptr : &read(*op.t);
    each(op.y.shape, [&](const Shape& i, size_t place) {
      out[place] = op.mode == kIndex ? float(i[size_t(op.axis)])
                                     : compute(op.mode, x[size_t(broadcast(op.x, i))], b == nullptr ? 0 : (*b)[size_t(broadcast(*op.b, i))],
                                               t == nullptr ? 0 : (*t)[size_t(broadcast(*op.t, i))]);
    });
    write(op.y, std::move(out));
  }

  void reduce(const Operation& op) {
    std::vector<float> out(size_t(op.y.size()), op.mode == kSum ? 0.0f : -std::numeric_limits<float>::infinity());
    const std::vector<float>& x = read(op.x);
    Shape ratio;
    for (size_t d = 0; d < 4; d++) ratio[d] = op.x.shape[d] / op.y.shape[d];
    each(op.x.shape, [&](const Shape& i, size_t place) {
      int64_t to = 0;
      for (size_t d = 0; d < 4; d++) to = to * op.y.shape[d] + i[d] / ratio[d];
      float& sum = out[size_t(to)];
      sum = op.mode == kSum ? sum + x[place] : std::fmax(sum, x[place]);
    });
    write(op.y, std::move(out));
  }

  // The element that lies at a place under the strides of one shape lies there under those of the other.
  void reshape(const Operation& op) {
    std::map<int64_t, size_t> places;
    const auto offset = [](const Tensor& tensor, const Shape& i) {
      return i[0] * tensor.strides[0] + i[1] * tensor.strides[1] + i[2] * tensor.strides[2] + i[3] * tensor.strides[3];
    };
    each(op.x.shape, [&](const Shape& i, size_t place) { places[offset(op.x, i)] = place; });
    const std::vector<float>& x = read(op.x);
    std::vector<float> out(x.size());
    each(op.y.shape, [&](const Shape& i, size_t place) {
      const auto from = places.find(offset(op.y, i));
      out[place] = from == places.end() ? std::numeric_limits<float>::quiet_NaN() : x[from->second];
    });
    write(op.y, std::move(out));
  }
};

}  // namespace

void run(const Graph& graph, const Addresses& addresses, void* workspace) {
  Run run{addresses, {}};
  for (const Operation& op : graph.operations) {
    if (run.failed) return;
    std::memset(view(workspace), 0xFF, size_t(graph.workspace_bytes()));
    switch (op.kind) {
      case kMatmulOperation: run.multiply(op); break;
      case kPointwiseOperation: run.pointwise(op); break;
      case kReductionOperation: run.reduce(op); break;
      default: run.reshape(op);
    }
  }
}

}  // namespace g4::emulation::cudnn
