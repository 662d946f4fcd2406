// Attention against double references, and the promise that training, prefill and decode give a row the same bits.
#include <algorithm>

#include "reference.h"

using namespace reference;

namespace {

// Segments of some rows; parents may be left out.
struct Shape {
  int64_t heads, kv_heads, head_dim;
  Ints lengths;
  Ints parents;
  std::string name() const {
    return "h" + std::to_string(heads) + "/" + std::to_string(kv_heads) + " d" + std::to_string(head_dim) + (parents.empty() ? "" : " prefix " + std::to_string(lengths[0]));
  }
};

struct Case {
  Shape shape;
  int dtype;
  Ints cu{0};
  int64_t tokens, segments, longest, q_stride, kv_stride;
  Tensor q, k, v, d_o;

  Case(const Shape& s, int type)
      : shape(s), dtype(type), cu(offsets(s.lengths)), tokens(cu.back()), segments(int64_t(s.lengths.size())), longest(0),
        q_stride(s.heads * s.head_dim + 16), kv_stride(s.kv_heads * s.head_dim + 8), q(normal(tokens * q_stride, 1.5), type),
        k(normal(tokens * kv_stride, 1.5), type), v(normal(tokens * kv_stride), type), d_o(normal(tokens * s.heads * s.head_dim), type) {
    for (int64_t b = 0; b < segments; b++) longest = std::max(longest, int64_t(sequence(b).size()));
  }

  static Ints offsets(const Ints& lengths) {
    Ints cu{0};
    for (int32_t n : lengths) cu.push_back(cu.back() + n);
    return cu;
  }
  int64_t rows() const { return tokens * shape.heads; }
  int64_t width() const { return shape.heads * shape.head_dim; }
  int64_t element() const { return dtype == G4_F32 ? 4 : 2; }
  int32_t parent(int64_t b) const { return shape.parents.empty() ? -1 : shape.parents[b]; }
  const int32_t* parents() const { return shape.parents.empty() ? nullptr : shape.parents.data(); }

  // The rows of the whole sequence that ends with segment b.
  Ints sequence(int64_t b) const {
    Ints rows;
    if (parent(b) >= 0) rows = sequence(parent(b));
    for (int32_t i = cu[b]; i < cu[b + 1]; i++) rows.push_back(i);
    return rows;
  }
  Tensor gather(const Tensor& from, int64_t stride, const Ints& rows) const {
    Tensor to(int64_t(rows.size()) * stride, dtype);
    for (size_t i = 0; i < rows.size(); i++) copy_row(to, i, from, rows[i], stride);
    return to;
  }
  void copy_row(const Tensor& to, int64_t to_row, const Tensor& from, int64_t from_row, int64_t stride) const {
    std::memcpy(static_cast<char*>(to.data()) + to_row * stride * element(), static_cast<const char*>(from.data()) + from_row * stride * element(), stride * element());
  }
};

struct Reference {
  Doubles o, lse, dq, dk, dv;
};

Reference reference_of(const Case& c) {
  const int64_t D = c.shape.head_dim, H = c.shape.heads, group = H / c.shape.kv_heads;
  const Doubles q = c.q.get(), k = c.k.get(), v = c.v.get(), d_o = c.d_o.get();
  Reference r{Doubles(c.tokens * c.width()), Doubles(c.rows()), Doubles(q.size()), Doubles(k.size()), Doubles(v.size())};
  const double scale = 1 / std::sqrt(double(D));
  for (int64_t b = 0; b < c.segments; b++) {
    const Ints sequence = c.sequence(b);
    for (int64_t n = int64_t(sequence.size()) - c.shape.lengths[b]; n < int64_t(sequence.size()); n++)
      for (int64_t h = 0; h < H; h++) {
        const auto kv = [&](int64_t j) { return sequence[j] * c.kv_stride + h / group * D; };
        const int64_t i = sequence[n], qi = i * c.q_stride + h * D, oi = (i * H + h) * D;
        Doubles p;
        double sum = 0, dot = 0;
        for (int64_t j = 0; j <= n; j++) {
          double s = 0;
          for (int64_t d = 0; d < D; d++) s += q[qi + d] * k[kv(j) + d];
          p.push_back(std::exp(s * scale));
          sum += p.back();
        }
        for (int64_t j = 0; j <= n; j++)
          for (int64_t d = 0; d < D; d++) r.o[oi + d] += p[j] / sum * v[kv(j) + d];
        r.lse[i * H + h] = std::log(sum);
        for (int64_t d = 0; d < D; d++) dot += d_o[oi + d] * r.o[oi + d];
        for (int64_t j = 0; j <= n; j++) {
          const double pj = p[j] / sum;
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
  }
  return r;
}

struct Forward {
  Tensor o, lse;
};

Forward forward(g4_stream s, const Case& c) {
  Forward f{Tensor(c.tokens * c.width(), c.dtype), Tensor(c.rows())};
  check(g4_attention(s, f.o.data(), f.lse.data(), c.q.data(), c.k.data(), c.v.data(), c.q_stride, c.kv_stride, c.cu.data(), c.parents(),
                     c.segments, c.longest, c.shape.heads, c.shape.kv_heads, c.shape.head_dim, c.dtype) == G4_OK, "status");
  return f;
}

struct Backward {
  Tensor dq, dk, dv;
};

Backward backward(g4_stream s, const Case& c, const Forward& f) {
  Backward g{Tensor(c.q.size(), c.dtype), Tensor(c.k.size(), c.dtype), Tensor(c.v.size(), c.dtype)};
  Ints rows(c.segments, -1);
  int32_t sums = 0;
  for (int64_t b = 0; b < c.segments; b++) {
    const int32_t p = c.parent(b);
    if (p < 0) continue;
    if (rows[p] < 0) rows[p] = sums, sums += c.shape.lengths[p];
    rows[b] = sums, sums += c.shape.lengths[p];
  }
  const Tensor workspace(Doubles(sums * 2 * c.shape.kv_heads * c.shape.head_dim, std::nan("")));
  const bool shares = c.parents() != nullptr;
  check(g4_attention_backward(s, g.dq.data(), g.dk.data(), g.dv.data(), c.d_o.data(), f.o.data(), f.lse.data(), c.q.data(), c.k.data(), c.v.data(), c.q_stride,
                              c.kv_stride, c.cu.data(), c.parents(), shares ? workspace.data() : nullptr, shares ? rows.data() : nullptr, c.segments, c.longest,
                              c.shape.heads, c.shape.kv_heads, c.shape.head_dim, c.dtype) == G4_OK, "status");
  return g;
}

// Each sequence through a paged cache whose blocks were used before (they hold NaN), appended and queried in pieces of at most
// `piece` rows, all sequences in one call each time. Whoever shares a beginning computes it again here; if `shares`, the whole blocks of
// that are the parent's, who fills them.
Tensor paged(g4_stream s, const Case& c, int32_t piece, bool shares) {
  const int64_t D = c.shape.head_dim, KV = c.shape.kv_heads, B = c.segments;
  const int64_t max_blocks = (c.longest + 31) / 32 + 1;
  const auto shared_blocks = [&](int64_t b) { return shares && c.parent(b) >= 0 ? c.shape.lengths[c.parent(b)] / 32 : 0; };
  Ints table(B * max_blocks);
  for (size_t i = 0; i < table.size(); i++) table[i] = int32_t(table.size() - 1 - i);
  for (int64_t b = 0; b < B; b++)
    for (int32_t i = 0; i < shared_blocks(b); i++) table[b * max_blocks + i] = table[c.parent(b) * max_blocks + i];
  const Doubles stale(table.size() * KV * D * 32, std::nan(""));
  Tensor k_cache(stale, c.dtype), v_cache(stale, c.dtype), o(c.tokens * c.width(), c.dtype);
  for (int32_t begin = 0; begin < c.longest; begin += piece) {
    Ints cu_q{0}, kv_lens, rows, slots;
    for (int64_t b = 0; b < B; b++) {
      const Ints sequence = c.sequence(b);
      const int32_t n = std::max(0, std::min(int32_t(sequence.size()), begin + piece) - begin);
      for (int32_t i = begin; i < begin + n; i++) {
        rows.push_back(sequence[i]);
        slots.push_back(i / 32 < shared_blocks(b) ? -1 : table[b * max_blocks + i / 32] * 32 + i % 32);
      }
      cu_q.push_back(int32_t(rows.size()));
      kv_lens.push_back(n > 0 ? begin + n : 0);
    }
    const Tensor q = c.gather(c.q, c.q_stride, rows), k = c.gather(c.k, c.kv_stride, rows), v = c.gather(c.v, c.kv_stride, rows);
    const Tensor out(int64_t(rows.size()) * c.width(), c.dtype);
    check(g4_kv_append(s, k_cache.data(), v_cache.data(), k.data(), v.data(), c.kv_stride, slots.data(), int64_t(rows.size()), KV, D, c.dtype) == G4_OK, "append");
    check(g4_attention_paged(s, out.data(), q.data(), c.q_stride, k_cache.data(), v_cache.data(), table.data(), max_blocks, cu_q.data(),
                             kv_lens.data(), B, c.shape.heads, KV, D, c.dtype) == G4_OK, "paged");
    for (size_t i = 0; i < rows.size(); i++) c.copy_row(o, rows[i], out, i, c.width());
  }
  return o;
}

// Each sequence alone in its call, whole in one segment.
Tensor alone(g4_stream s, const Case& c) {
  Tensor o(c.tokens * c.width(), c.dtype);
  for (int64_t b = 0; b < c.segments; b++) {
    const Ints sequence = c.sequence(b), cu{0, int32_t(sequence.size())};
    const Tensor out(cu[1] * c.width(), c.dtype), q = c.gather(c.q, c.q_stride, sequence), k = c.gather(c.k, c.kv_stride, sequence), v = c.gather(c.v, c.kv_stride, sequence);
    check(g4_attention(s, out.data(), nullptr, q.data(), k.data(), v.data(), c.q_stride, c.kv_stride, cu.data(), nullptr, 1, cu[1], c.shape.heads,
                       c.shape.kv_heads, c.shape.head_dim, c.dtype) == G4_OK, "alone");
    for (int32_t i = cu[1] - c.shape.lengths[b]; i < cu[1]; i++) c.copy_row(o, sequence[i], out, i, c.width());
  }
  return o;
}

}  // namespace

int main() {
  const std::vector<Shape> shapes = {
      {4, 2, 16, {7, 19, 33}, {}}, {6, 2, 8, {1, 32, 5}, {}}, {14, 2, 64, {130, 3}, {}}, {4, 4, 24, {40, 64, 65}, {}}, {3, 1, 32, {97}, {}},
      {8, 1, 128, {70, 31}, {}}, {5, 5, 20, {50}, {}},
      // Beginnings that end before, on and after the edge of a block; children beside each other and not, among sequences of their own.
      {4, 2, 8, {1, 5, 40, 31}, {-1, 0, 0, 0}},
      {6, 2, 32, {31, 1, 2, 70, 9}, {-1, 0, 0, 0, -1}},
      {2, 1, 64, {32, 33, 1, 17, 33, 50, 31}, {-1, 0, 0, -1, -1, 4, 4}},
      {4, 4, 8, {45, 20, 45, 64, 3, 65, 96}, {-1, 0, 0, -1, 3, 3, -1}},
      {14, 2, 64, {64, 10, 130}, {-1, 0, 0}},
      {4, 2, 16, {70, 3, 40, 1, 12, 66, 30, 2, 5, 33}, {-1, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
      {3, 3, 20, {45, 33, 12, 64, 1, 30, 1}, {-1, -1, 1, 0, 1, 0, -1}}};
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
        for (int32_t piece : {1, 13, 1000}) {
          const std::string pieces = what + ": paged in pieces of " + std::to_string(piece);
          check(f.o.same_bits(paged(s, c, piece, false)), pieces + " has other bits");
          check(f.o.same_bits(paged(s, c, piece, true)), pieces + " with shared blocks has other bits");
        }
        const auto [dq, dk, dv] = backward(s, c, f);
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
