// The cases of the row kernels: an op on fixed random inputs, what it wrote, and what it should have written.
#pragma once

#include "case_test.h"
#include "cuda_ops.h"

namespace g4::test {

// Round-off of the storage, in the norm: half an ulp of bf16 is 2^-9 at most, 1.7e-3 as a mean over mantissas; of fp16 an
// eighth of that.
inline double tolerance(int dtype) { return dtype == G4_F32 ? 1e-6 : dtype == G4_BF16 ? 2.5e-3 : 3.2e-4; }

inline std::string title(const char* op, int64_t rows, int64_t width, int dtype) {
  return std::string(op) + " " + std::to_string(rows) + "x" + std::to_string(width) + name_of(dtype);
}

inline void rmsnorm_cases(std::vector<Case>& cases, int64_t rows, int64_t width, int dtype) {
  const float eps = 1e-5f;
  const Tensor x(normal(rows * width), dtype), delta(normal(rows * width), dtype), w(normal(width), dtype), dy(normal(rows * width), dtype);
  const Tensor before(normal(rows * width), dtype), dw_before(normal(width), G4_F32);
  const auto forward = [=](const Doubles& in) {
    const Doubles ws = w.get();
    Doubles y(in.size());
    for (int64_t i = 0; i < rows; i++) {
      double squares = 0;
      for (int64_t j = 0; j < width; j++) squares += in[i * width + j] * in[i * width + j];
      for (int64_t j = 0; j < width; j++) y[i * width + j] = in[i * width + j] / std::sqrt(squares / double(width) + eps) * ws[j];
    }
    return y;
  };
  cases.push_back({title("rmsnorm", rows, width, dtype), [=] {
    Outputs out;
    const Tensor y(rows * width, dtype);
    out.status = g4_rmsnorm(nullptr, y.data(), x.data(), w.data(), rows, width, eps, dtype);
    out.add("y", y);
    return out;
  }, {{forward(x.get()), tolerance(dtype)}}});

  Doubles sum = x.get();
  const Doubles deltas = delta.get();
  for (size_t i = 0; i < sum.size(); i++) sum[i] += deltas[i];
  const Doubles stored = Tensor(sum, dtype).get();
  cases.push_back({title("add_rmsnorm", rows, width, dtype), [=] {
    Outputs out;
    const Tensor y(rows * width, dtype), in(x);
    out.status = g4_add_rmsnorm(nullptr, y.data(), in.data(), delta.data(), w.data(), rows, width, eps, dtype);
    out.add("x", in);
    out.add("y", y);
    return out;
  }, {{stored, 0}, {forward(stored), tolerance(dtype)}}});

  for (int accumulate : {0, 1}) {
    const Doubles xs = x.get(), ws = w.get(), gs = dy.get();
    Doubles dx = accumulate ? before.get() : Doubles(xs.size(), 0.0), dw = dw_before.get();
    for (int64_t i = 0; i < rows; i++) {
      double squares = 0, dot = 0;
      for (int64_t j = 0, at = i * width; j < width; j++, at++) squares += xs[at] * xs[at], dot += gs[at] * ws[j] * xs[at];
      const double r = 1 / std::sqrt(squares / double(width) + eps);
      for (int64_t j = 0, at = i * width; j < width; j++, at++) {
        dx[at] += r * (gs[at] * ws[j] - xs[at] * r * r * dot / double(width));
        dw[j] += gs[at] * xs[at] * r;
      }
    }
    cases.push_back({title(accumulate ? "rmsnorm_backward +=" : "rmsnorm_backward", rows, width, dtype), [=] {
      Outputs out;
      const Tensor poison(rows * width, dtype), d(accumulate ? before : poison), sums(dw_before), workspace(g4_rmsnorm_backward_workspace(rows, width));
      out.status = g4_rmsnorm_backward(nullptr, d.data(), sums.data(), dy.data(), x.data(), w.data(), workspace.data(), rows, width, eps, accumulate, dtype);
      out.add("dx", d);
      out.add("dw", sums);
      return out;
    }, {{dx, tolerance(dtype)}, {dw, 1e-6}}});
  }
}

// `offset`: where x starts in its row, as the keys do in a row of queries, keys and values.
inline void rope_cases(std::vector<Case>& cases, int64_t rows, int64_t heads, int64_t head_dim, int64_t offset, int64_t pad, int dtype) {
  const int64_t positions = 50, half = head_dim / 2, stride = offset + heads * head_dim + pad;
  Doubles angles(positions * head_dim);
  for (int64_t p = 0; p < positions; p++)
    for (int64_t j = 0; j < half; j++) {
      const double angle = double(p) * std::pow(1e4, -2.0 * double(j) / double(head_dim));
      angles[p * head_dim + j] = std::cos(angle), angles[p * head_dim + half + j] = std::sin(angle);
    }
  Ints position(rows);
  for (int64_t i = 0; i < rows; i++) position[i] = int32_t(i * 7 % positions);
  const Tensor table(angles, G4_F32), at(position), x(normal(rows * stride), dtype);
  const Doubles cs = table.get(), before = x.get();
  for (int inverse : {0, 1}) {
    Doubles after = before;
    for (int64_t i = 0; i < rows; i++)
      for (int64_t h = 0; h < heads; h++)
        for (int64_t j = 0; j < half; j++) {
          const int64_t k = i * stride + offset + h * head_dim + j;
          const double c = cs[position[i] * head_dim + j], s = cs[position[i] * head_dim + half + j] * (inverse ? -1 : 1);
          after[k] = before[k] * c - before[k + half] * s;
          after[k + half] = before[k + half] * c + before[k] * s;
        }
    cases.push_back({title(inverse ? "rope inverse" : "rope", rows, heads * head_dim, dtype), [=] {
      Outputs out;
      const Tensor y(x);
      char* start = static_cast<char*>(y.data()) + offset * (dtype == G4_F32 ? 4 : 2);
      out.status = g4_rope(nullptr, start, table.data(), at.data(), rows, heads, head_dim, stride, inverse, dtype);
      out.add("x", y);
      return out;
    }, {{after, tolerance(dtype)}}});
  }
}

inline void swiglu_cases(std::vector<Case>& cases, int64_t rows, int64_t width, int dtype) {
  Doubles in = normal(rows * 2 * width, 3);
  const double edge[] = {0.0, -0.0, 30, -30, 88, -88, 104, -104};
  for (int64_t i = 0; i < std::min<int64_t>(8, int64_t(in.size())); i++) in[i] = edge[i];
  const Tensor gate_up(in, dtype), dy(normal(rows * width), dtype);
  const Doubles x = gate_up.get(), g = dy.get();
  Doubles y(rows * width), d(rows * 2 * width);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < width; j++) {
      const int64_t at = i * 2 * width + j;
      const double a = x[at], u = x[at + width], sigma = 1 / (1 + std::exp(-a));
      y[i * width + j] = a * sigma * u;
      d[at] = g[i * width + j] * u * sigma * (1 + a * (1 - sigma));
      d[at + width] = g[i * width + j] * a * sigma;
    }
  cases.push_back({title("swiglu", rows, width, dtype), [=] {
    Outputs out;
    const Tensor result(rows * width, dtype), gradient(rows * 2 * width, dtype), in_place(dy);
    out.status = g4_swiglu(nullptr, result.data(), gate_up.data(), rows, width, dtype);
    if (out.status == G4_OK) out.status = g4_swiglu_backward(nullptr, gradient.data(), in_place.data(), in_place.data(), gate_up.data(), rows, width, dtype);
    out.add("y", result);
    out.add("d gate_up", gradient);
    out.add("y again", in_place);
    return out;
  }, {{y, tolerance(dtype)}, {d, tolerance(dtype)}, {y, tolerance(dtype)}}});
}

// Ids repeat often, within 128 tokens and across them; the gradient must be the plain loop's to the bit.
inline void embedding_cases(std::vector<Case>& cases, int64_t tokens, int64_t width, int dtype) {
  const int64_t vocab = 23;
  Ints ids(tokens + 128, 5);  // whoever reads past the last token finds one that fits
  for (int64_t t = 0; t < tokens; t++) ids[t] = int32_t(t % 3 == 0 ? 5 : generator()() % uint64_t(vocab - 1));  // the last id never occurs
  const Tensor w(normal(vocab * width), dtype), dy(normal(tokens * width), dtype), id(ids), before(normal(vocab * width), G4_F32);
  const Doubles ws = w.get(), gs = dy.get();
  Doubles y(tokens * width), dw = before.get();
  for (int64_t t = 0; t < tokens; t++)
    for (int64_t j = 0; j < width; j++) {
      y[t * width + j] = ws[ids[t] * width + j];
      double& sum = dw[ids[t] * width + j];
      sum = float(sum) + float(gs[t * width + j]);
    }
  cases.push_back({title("embedding", tokens, width, dtype), [=] {
    Outputs out;
    const Tensor rows(tokens * width, dtype), gradient(before);
    out.status = g4_embedding(nullptr, rows.data(), w.data(), id.data(), tokens, vocab, width, dtype);
    if (out.status == G4_OK) out.status = g4_embedding_backward(nullptr, gradient.data(), dy.data(), id.data(), tokens, vocab, width, dtype);
    out.add("y", rows);
    out.add("dw", gradient);
    return out;
  }, {{y, 0}, {dw, 0}}});
}

// Values on both sides of every rounding: ties, the largest and smallest numbers of fp16, infinities, NaN.
inline void elementwise_cases(std::vector<Case>& cases, int64_t count) {
  Doubles x = normal(count, 3);
  const double edge[] = {65504, 65519, 65520, -65536, 0x1p-24, 0x1p-25, 0x1.8p-24, -0x1p-14, 0x1.ffcp-15, 3e38, -3e38, 1e-40, 1 + 0x1p-8, 1 + 0x1.8p-8, 1 + 0x1p-11, -0.0};
  for (int64_t i = 0; i < std::min<int64_t>(16, count); i++) x[size_t(count - 1 - i)] = edge[i];
  const auto rounded = [](const Doubles& in, int dtype) { return Tensor(in, dtype).get(); };
  for (int from : {G4_F32, G4_BF16, G4_F16}) {
    const Tensor source(x, from);
    for (int to : {G4_F32, G4_BF16, G4_F16}) {
      cases.push_back({"cast " + std::to_string(count) + name_of(from) + " to" + name_of(to), [=] {
        Outputs out;
        const Tensor result(count, to);
        out.status = g4_cast(nullptr, result.data(), to, source.data(), from, count);
        out.add("dst", result);
        return out;
      }, {{rounded(source.get(), to), 0, true}}});
    }
    const Tensor other(normal(count), from);
    Doubles sum = other.get();
    for (int64_t i = 0; i < count; i++) sum[i] = double(float(sum[i]) + float(source.get()[i]));
    cases.push_back({"add " + std::to_string(count) + name_of(from), [=] {
      Outputs out;
      const Tensor result(other);
      out.status = g4_add(nullptr, result.data(), source.data(), count, from);
      out.add("dst", result);
      return out;
    }, {{rounded(sum, from), 0, true}}});
  }
}

// Some rows of a [n, k] weight to and from another type, and the bytes around them.
inline void weight_rows_cases(std::vector<Case>& cases, int64_t row0, int64_t rows, int64_t n, int64_t k) {
  const Tensor matrix(normal(n * k), G4_BF16), part(normal(rows * k), G4_F16), floats(normal(n * k), G4_F32);
  Doubles packed = matrix.get(), unpacked(packed.begin() + row0 * k, packed.begin() + (row0 + rows) * k);
  const Doubles in = part.get();
  for (int64_t i = 0; i < rows * k; i++) packed[row0 * k + i] = Tensor(Doubles{in[i]}, G4_BF16).get()[0];
  cases.push_back({title("pack and unpack rows", rows, k, G4_BF16), [=] {
    Outputs out;
    const Tensor whole(matrix), copy(n * k, G4_BF16), back(rows * k, G4_F32), narrow(n * k, G4_BF16);
    out.status = g4_unpack_rows(nullptr, back.data(), G4_F32, whole.data(), G4_BF16, row0, rows, n, k);
    if (out.status == G4_OK) out.status = g4_pack_rows(nullptr, whole.data(), G4_BF16, part.data(), G4_F16, row0, rows, n, k);
    if (out.status == G4_OK) out.status = g4_copy(nullptr, copy.data(), whole.data(), whole.bytes());
    if (out.status == G4_OK) out.status = g4_fill_zero(nullptr, whole.data(), whole.bytes());
    if (out.status == G4_OK) out.status = g4_cast_packed(nullptr, narrow.data(), floats.data(), n, k);
    out.add("unpacked", back);
    out.add("packed", copy);
    out.add("zeros", whole);
    out.add("cast", narrow);
    return out;
  }, {{unpacked, 0, true}, {packed, 0, true}, {Doubles(n * k, 0.0), 0, true}, {Tensor(floats.get(), G4_BF16).get(), 0, true}}});
}

inline void column_sums_cases(std::vector<Case>& cases, int64_t rows, int64_t width, int dtype) {
  const Tensor x(normal(rows * width), dtype), before(normal(width), G4_F32);
  Doubles sums = before.get();
  const Doubles xs = x.get();
  for (int64_t i = 0; i < rows * width; i++) sums[i % width] += xs[i];
  cases.push_back({title("column sums", rows, width, dtype), [=] {
    Outputs out;
    const Tensor result(before), workspace(g4_cuda_column_sums_workspace(rows, width));
    out.status = g4_cuda_column_sums(nullptr, result.data(), x.data(), workspace.data(), rows, width, dtype);
    out.add("sums", result);
    return out;
  }, {{sums, 1e-6}}});
}

// Rows that take a sampled token, in another order, and rows that bring their own, with and without a history.
inline void input_tokens_cases(std::vector<Case>& cases, int64_t rows) {
  Ints sampled(rows), from(rows), at(rows), history(3 * rows, -7);
  Doubles ids(rows), after;
  for (int64_t r = 0; r < rows; r++) {
    sampled[r] = int32_t(1000 + r);
    from[r] = r % 3 == 0 ? int32_t(-1 - r) : int32_t(rows - 1 - r);
    at[r] = r % 5 == 1 ? -1 : int32_t(3 * r + 1);
    ids[r] = r % 3 == 0 ? double(r) : double(1000 + rows - 1 - r);
  }
  for (int32_t h : history) after.push_back(h);
  const Doubles before = after;
  for (int64_t r = 0; r < rows; r++)
    if (at[r] >= 0) after[at[r]] = ids[r];
  const Tensor last(sampled), sources(from), places(at), earlier(history);
  for (bool with_history : {false, true}) {
    cases.push_back({"input tokens of " + std::to_string(rows) + (with_history ? " rows, with history" : " rows"), [=] {
      Outputs out;
      const Tensor result(rows, G4_I32), seen(earlier);
      out.status = g4_input_tokens(nullptr, result.data(), last.data(), sources.data(), with_history ? seen.data() : nullptr, with_history ? places.data() : nullptr, rows);
      out.add("ids", result);
      out.add("history", seen);
      return out;
    }, {{ids, 0, true}, {with_history ? after : before, 0, true}}});
  }
}

// Widths below, at and above a vector, a warp and a block; no multiple of a vector in half of them. No width 1: there the
// gradient of a norm is what cancellation leaves of it, so its relative error says nothing.
inline std::vector<Case> row_cases() {
  std::vector<Case> cases;
  for (int64_t count : {1, 13, 2056, 4096}) elementwise_cases(cases, count);
  for (int64_t rows : {1, 130}) input_tokens_cases(cases, rows);
  weight_rows_cases(cases, 3, 5, 11, 7);
  weight_rows_cases(cases, 32, 32, 96, 64);
  for (int dtype : {G4_F32, G4_BF16, G4_F16}) {
    if (emulation::kSanitized && dtype == G4_F16) break;  // the code of bf16 but for the conversions
    for (int64_t width : {3, 5, 64, 250, 896, 1030}) rmsnorm_cases(cases, width == 64 ? 283 : 19, width, dtype);
    rope_cases(cases, 21, 3, 64, 0, 0, dtype);
    rope_cases(cases, 21, 2, 64, 128, 64, dtype);
    rope_cases(cases, 9, 3, 64, 0, 5, dtype);
    rope_cases(cases, 9, 2, 24, 3, 1, dtype);
    rope_cases(cases, 9, 5, 6, 0, 0, dtype);
    for (int64_t width : {3, 117, 264}) swiglu_cases(cases, 21, width, dtype);
    for (int64_t width : {3, 40, 264}) column_sums_cases(cases, width == 40 ? 300 : 21, width, dtype);
    for (int64_t width : {7, 40, 1100}) embedding_cases(cases, width == 40 ? 300 : 33, width, dtype);
  }
  return cases;
}

}  // namespace g4::test
