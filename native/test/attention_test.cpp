// Attention against double references, and the promise that training, prefill and decode give a row the same bits.
#include <algorithm>

#include "reference.h"

using namespace reference;

namespace {

struct Shape {
  int64_t heads, kv_heads, head_dim;
  Ints lengths;
  std::string name() const { return "h" + std::to_string(heads) + "/" + std::to_string(kv_heads) + " d" + std::to_string(head_dim); }
};

struct Case {
  Shape shape;
  int dtype;
  Ints cu{0};
  int64_t tokens, longest, q_stride, kv_stride;
  Tensor q, k, v, d_o;

  Case(const Shape& s, int type)
      : shape(s), dtype(type), cu(offsets(s.lengths)), tokens(cu.back()), longest(*std::max_element(s.lengths.begin(), s.lengths.end())),
        q_stride(s.heads * s.head_dim + 16), kv_stride(s.kv_heads * s.head_dim + 8), q(normal(tokens * q_stride, 1.5), type),
        k(normal(tokens * kv_stride, 1.5), type), v(normal(tokens * kv_stride), type), d_o(normal(tokens * s.heads * s.head_dim), type) {}

  static Ints offsets(const Ints& lengths) {
    Ints cu{0};
    for (int32_t n : lengths) cu.push_back(cu.back() + n);
    return cu;
  }
  int64_t rows() const { return tokens * shape.heads; }
  int64_t width() const { return shape.heads * shape.head_dim; }
};

struct Reference {
  Doubles o, lse, dq, dk, dv;
};

Reference reference_of(const Case& c) {
  const int64_t D = c.shape.head_dim, H = c.shape.heads, group = H / c.shape.kv_heads;
  const Doubles q = c.q.get(), k = c.k.get(), v = c.v.get(), d_o = c.d_o.get();
  Reference r{Doubles(c.tokens * c.width()), Doubles(c.rows()), Doubles(q.size()), Doubles(k.size()), Doubles(v.size())};
  const double scale = 1 / std::sqrt(double(D));
  for (size_t b = 0; b + 1 < c.cu.size(); b++)
    for (int64_t i = c.cu[b]; i < c.cu[b + 1]; i++)
      for (int64_t h = 0; h < H; h++) {
        const auto kv = [&](int64_t j) { return j * c.kv_stride + h / group * D; };
        const int64_t qi = i * c.q_stride + h * D, oi = (i * H + h) * D;
        Doubles p;
        double sum = 0, dot = 0;
        for (int64_t j = c.cu[b]; j <= i; j++) {
          double s = 0;
          for (int64_t d = 0; d < D; d++) s += q[qi + d] * k[kv(j) + d];
          p.push_back(std::exp(s * scale));
          sum += p.back();
        }
        for (int64_t j = c.cu[b]; j <= i; j++)
          for (int64_t d = 0; d < D; d++) r.o[oi + d] += p[j - c.cu[b]] / sum * v[kv(j) + d];
        r.lse[i * H + h] = std::log(sum);
        for (int64_t d = 0; d < D; d++) dot += d_o[oi + d] * r.o[oi + d];
        for (int64_t j = c.cu[b]; j <= i; j++) {
          const double pj = p[j - c.cu[b]] / sum;
          double dp = 0;
          for (int64_t d = 0; d < D; d++) dp += d_o[oi + d] * v[kv(j) + d];
          const double ds = pj * (dp - dot);
          for (int64_t d = 0; d < D; d++) {
            r.dv[kv(j) + d] += pj * d_o[oi + d];
            r.dq[qi + d] += scale * ds * k[kv(j) + d];
            r.dk[kv(j) + d] += scale * ds * q[qi + d];
          }
        }
      }
  return r;
}

struct Forward {
  Tensor o, lse;
};

Forward forward(g4_stream s, const Case& c) {
  Forward f{Tensor(c.tokens * c.width(), c.dtype), Tensor(c.rows())};
  check(g4_attention(s, f.o.data(), f.lse.data(), c.q.data(), c.k.data(), c.v.data(), c.q_stride, c.kv_stride, c.cu.data(),
                     int64_t(c.shape.lengths.size()), c.longest, c.shape.heads, c.shape.kv_heads, c.shape.head_dim, c.dtype) == G4_OK, "status");
  return f;
}

// The same sequences through a paged cache whose blocks were used before (they hold NaN), appended and queried in pieces of
// at most `piece` rows, all sequences in one call each time.
Tensor paged(g4_stream s, const Case& c, int32_t piece) {
  const int64_t D = c.shape.head_dim, KV = c.shape.kv_heads, B = int64_t(c.shape.lengths.size());
  const int64_t max_blocks = (c.longest + 31) / 32 + 1;
  Ints table(B * max_blocks);
  for (size_t i = 0; i < table.size(); i++) table[i] = int32_t(table.size() - 1 - i);
  const Doubles stale(table.size() * KV * D * 32, std::nan(""));
  Tensor k_cache(stale, c.dtype), v_cache(stale, c.dtype), o(c.tokens * c.width(), c.dtype);
  const int64_t element = c.dtype == G4_F32 ? 4 : 2;
  for (int32_t begin = 0; begin < c.longest; begin += piece) {
    Ints cu_q{0}, kv_lens, rows, slots;
    for (int64_t b = 0; b < B; b++) {
      const int32_t n = std::max(0, std::min(c.shape.lengths[b], begin + piece) - begin);
      for (int32_t i = begin; i < begin + n; i++) {
        rows.push_back(c.cu[b] + i);
        slots.push_back(table[b * max_blocks + i / 32] * 32 + i % 32);
      }
      cu_q.push_back(int32_t(rows.size()));
      kv_lens.push_back(n > 0 ? begin + n : 0);
    }
    const auto gather = [&](const Tensor& from, int64_t stride) {
      Tensor to(int64_t(rows.size()) * stride, c.dtype);
      for (size_t i = 0; i < rows.size(); i++)
        std::memcpy(static_cast<char*>(to.data()) + i * stride * element, static_cast<const char*>(from.data()) + rows[i] * stride * element, stride * element);
      return to;
    };
    const Tensor q = gather(c.q, c.q_stride), k = gather(c.k, c.kv_stride), v = gather(c.v, c.kv_stride);
    const Tensor out(int64_t(rows.size()) * c.width(), c.dtype);
    check(g4_kv_append(s, k_cache.data(), v_cache.data(), k.data(), v.data(), c.kv_stride, slots.data(), int64_t(rows.size()), KV, D, c.dtype) == G4_OK, "append");
    check(g4_attention_paged(s, out.data(), q.data(), c.q_stride, k_cache.data(), v_cache.data(), table.data(), max_blocks, cu_q.data(),
                             kv_lens.data(), B, c.shape.heads, KV, D, c.dtype) == G4_OK, "paged");
    for (size_t i = 0; i < rows.size(); i++)
      std::memcpy(static_cast<char*>(o.data()) + rows[i] * c.width() * element, static_cast<char*>(out.data()) + i * c.width() * element, c.width() * element);
  }
  return o;
}

// Each sequence alone in its call.
Tensor alone(g4_stream s, const Case& c) {
  Tensor o(c.tokens * c.width(), c.dtype);
  const int64_t element = c.dtype == G4_F32 ? 4 : 2;
  const auto at = [&](const Tensor& t, int64_t i) { return static_cast<char*>(t.data()) + i * element; };
  for (size_t b = 0; b + 1 < c.cu.size(); b++) {
    const int64_t start = c.cu[b];
    const Ints cu{0, c.cu[b + 1] - c.cu[b]};
    g4_attention(s, at(o, start * c.width()), nullptr, at(c.q, start * c.q_stride), at(c.k, start * c.kv_stride), at(c.v, start * c.kv_stride), c.q_stride,
                 c.kv_stride, cu.data(), 1, cu[1], c.shape.heads, c.shape.kv_heads, c.shape.head_dim, c.dtype);
  }
  return o;
}

}  // namespace

int main() {
  const std::vector<Shape> shapes = {
      {4, 2, 16, {7, 19, 33}}, {6, 2, 8, {1, 32, 5}}, {14, 2, 64, {130, 3}}, {4, 4, 24, {40, 64, 65}}, {3, 1, 32, {97}}, {8, 1, 128, {70, 31}}, {5, 5, 20, {50}}};
  for (const Shape& shape : shapes) {
    for (int dtype : {G4_F32, G4_BF16}) {
      const Case c(shape, dtype);
      const Reference r = reference_of(c);
      const std::string kind = shape.name() + (dtype == G4_F32 ? " f32 " : " bf16 ");
      std::vector<Doubles> first(4);
      std::string isa;
      on_every_stream([&](g4_stream s, const std::string& name) {
        const std::string what = kind + name;
        const Forward f = forward(s, c);
        near(f.o.get(), r.o, dtype == G4_F32 ? 3e-6 : 5e-3, what + " o");
        near(f.lse.get(), r.lse, 3e-6, what + " lse");
        check(f.o.same_bits(alone(s, c)), what + ": a sequence alone has other bits");
        for (int32_t piece : {1, 13, 1000}) check(f.o.same_bits(paged(s, c, piece)), what + ": paged in pieces of " + std::to_string(piece) + " has other bits");
        const Tensor dq(c.q.size(), dtype), dk(c.k.size(), dtype), dv(c.v.size(), dtype);
        check(g4_attention_backward(s, dq.data(), dk.data(), dv.data(), c.d_o.data(), f.o.data(), f.lse.data(), c.q.data(), c.k.data(), c.v.data(), c.q_stride,
                                    c.kv_stride, c.cu.data(), int64_t(shape.lengths.size()), c.longest, shape.heads, shape.kv_heads, shape.head_dim, dtype) == G4_OK, "status");
        const double tolerance = dtype == G4_F32 ? 3e-6 : 1.5e-2;
        near(dq.get(), r.dq, tolerance, what + " dq");
        near(dk.get(), r.dk, tolerance, what + " dk");
        near(dv.get(), r.dv, tolerance, what + " dv");
        const std::vector<Doubles> now = {f.o.get(), dq.get(), dk.get(), dv.get()};
        const std::string this_isa = name.substr(0, name.find('/'));
        if (isa == this_isa) check(now == first, what + ": bits depend on the number of threads");
        else isa = this_isa, first = now;
      });
    }
  }
  return finish("attention");
}
