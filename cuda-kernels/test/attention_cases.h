// Attention cases: packed segments with and without parents, their double reference, and the error that is allowed.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>

#include "device_tensor.h"

namespace g4::test {

struct AttentionShape {
  int64_t heads, kv_heads, head_dim;
  Ints lengths;  // of the segments
  Ints parents;  // empty: none
};

// Inputs whose values the storage type holds exactly, so that kernel and reference see the same numbers.
struct AttentionCase {
  AttentionShape shape;
  int dtype;
  Ints cu{0};
  int64_t tokens, longest = 0, q_stride, kv_stride;
  Tensor q, k, v, d_o;

  AttentionCase(const AttentionShape& s, int type, int64_t pad)
      : shape(s), dtype(type), tokens(total(s.lengths)), q_stride(s.heads * s.head_dim + 2 * pad), kv_stride(s.kv_heads * s.head_dim + pad),
        q(normal(tokens * q_stride, 1.5), type), k(normal(tokens * kv_stride, 1.5), type), v(normal(tokens * kv_stride), type),
        d_o(normal(tokens * s.heads * s.head_dim), type) {
    for (size_t b = 0; b < s.lengths.size(); b++) {
      cu.push_back(cu.back() + s.lengths[b]);
      longest = std::max<int64_t>(longest, s.lengths[b] + (parent(b) >= 0 ? s.lengths[size_t(parent(b))] : 0));
    }
  }
  static int64_t total(const Ints& lengths) {
    int64_t sum = 0;
    for (int32_t n : lengths) sum += n;
    return sum;
  }
  int parent(size_t segment) const { return shape.parents.empty() ? -1 : shape.parents[segment]; }
  int64_t width() const { return shape.heads * shape.head_dim; }
  std::string name() const {
    const char* types[] = {"f32", "bf16", "f16"};
    std::string text = std::string("attention ") + types[dtype] + " d" + std::to_string(shape.head_dim) + " h" + std::to_string(shape.heads) + "/" + std::to_string(shape.kv_heads);
    for (size_t b = 0; b < shape.lengths.size(); b++) text += " " + std::to_string(shape.lengths[b]) + (parent(b) >= 0 ? "<" + std::to_string(parent(b)) : "");
    return text;
  }
};

struct AttentionReference {
  Doubles o, lse, dq, dk, dv;
};

inline AttentionReference reference_of(const AttentionCase& c) {
  const int64_t D = c.shape.head_dim, H = c.shape.heads, group = H / c.shape.kv_heads;
  const Doubles q = c.q.get(), k = c.k.get(), v = c.v.get(), d_o = c.d_o.get();
  AttentionReference r{Doubles(c.tokens * c.width()), Doubles(c.tokens * H), Doubles(q.size()), Doubles(k.size()), Doubles(v.size())};
  const double scale = 1 / std::sqrt(double(D));
  for (size_t b = 0; b < c.shape.lengths.size(); b++)
    for (int64_t i = c.cu[b]; i < c.cu[b + 1]; i++) {
      Ints keys;
      if (c.parent(b) >= 0)
        for (int32_t j = c.cu[size_t(c.parent(b))]; j < c.cu[size_t(c.parent(b)) + 1]; j++) keys.push_back(j);
      for (int32_t j = c.cu[b]; j <= i; j++) keys.push_back(j);
      for (int64_t h = 0; h < H; h++) {
        const auto kv = [&](int64_t j) { return j * c.kv_stride + h / group * D; };
        const int64_t qi = i * c.q_stride + h * D, oi = (i * H + h) * D;
        Doubles p;
        double sum = 0, dot = 0;
        for (int32_t j : keys) {
          double s = 0;
          for (int64_t d = 0; d < D; d++) s += q[size_t(qi + d)] * k[size_t(kv(j) + d)];
          p.push_back(std::exp(s * scale));
          sum += p.back();
        }
        for (size_t n = 0; n < keys.size(); n++)
          for (int64_t d = 0; d < D; d++) r.o[size_t(oi + d)] += p[n] / sum * v[size_t(kv(keys[n]) + d)];
        r.lse[size_t(i * H + h)] = std::log(sum);
        for (int64_t d = 0; d < D; d++) dot += d_o[size_t(oi + d)] * r.o[size_t(oi + d)];
        for (size_t n = 0; n < keys.size(); n++) {
          const int64_t j = kv(keys[n]);
          const double pj = p[n] / sum;
          double dp = 0;
          for (int64_t d = 0; d < D; d++) dp += d_o[size_t(oi + d)] * v[size_t(j + d)];
          const double ds = pj * (dp - dot);
          for (int64_t d = 0; d < D; d++) {
            r.dv[size_t(j + d)] += pj * d_o[size_t(oi + d)];
            r.dq[size_t(qi + d)] += scale * ds * k[size_t(j + d)];
            r.dk[size_t(j + d)] += scale * ds * q[size_t(qi + d)];
          }
        }
      }
    }
  return r;
}

// PyTorch's own distance from float64 at these operations in bf16 is 1.6e-3 to 1.7e-3 for o and 2.8e-3 to 4.2e-3 for the
// gradients (measured at head_dim 16 and 64, tens of positions); twice the smallest of each is allowed, in fp16 an eighth of
// it, since it has three bits more. In fp32: 2e-7 there, scalar sums here.
inline double allowed_forward(int dtype) { return dtype == G4_F32 ? 1e-6 : dtype == G4_BF16 ? 3.2e-3 : 4e-4; }
inline double allowed_backward(int dtype) { return dtype == G4_F32 ? 2e-6 : dtype == G4_BF16 ? 5.6e-3 : 7e-4; }

// Rows of a [tokens, stride] array, without what lies between them.
inline Doubles columns(const Doubles& x, int64_t stride, int64_t width) {
  Doubles result;
  for (size_t row = 0; row + size_t(width) <= x.size(); row += size_t(stride)) result.insert(result.end(), x.begin() + int64_t(row), x.begin() + int64_t(row) + width);
  return result;
}

struct Comparison {
  std::string what;
  Doubles got, expected;
  double allowed;
  std::string bits;
};

inline double largest_difference(const Doubles& a, const Doubles& b) {
  double largest = 0;
  for (size_t i = 0; i < b.size(); i++) largest = std::max(largest, std::isnan(a[i]) ? INFINITY : std::fabs(a[i] - b[i]));
  return largest;
}

// Everything right: the norm of the error, and no single element far off (a masked key, a lost row).
inline std::string fault(const std::vector<Comparison>& all) {
  for (const Comparison& c : all) {
    const double error = relative(c.got, c.expected);
    if (!(error <= c.allowed)) return c.what + " is off by " + std::to_string(error);
    double scale = 0;
    for (double x : c.expected) scale += x * x;
    scale = std::sqrt(scale / double(std::max<size_t>(1, c.expected.size())));
    const double largest = largest_difference(c.got, c.expected);
    if (!(largest <= 16 * c.allowed * scale + 1e-30)) return c.what + " has an element that is off by " + std::to_string(largest);
  }
  return "";
}

}  // namespace g4::test
