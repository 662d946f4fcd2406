// The matrix products and their neighbours against plain loops in double, and against themselves: the bits of a row must
// not depend on the rows beside it, on the number of threads, nor (for fused instruction sets) on the vector width.
#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "check.h"
#include "emulated_bf16.h"
#include "grpo4j/ops.h"
#include "simd/f16.h"
#include "stream.h"

using g4::bf16;
using g4::f16;
using g4::from_float;
using g4::to_float;

namespace {

struct Device {
  std::string name;
  int isa;
  int threads;
  g4_stream stream;
  const g4::KernelTable* kernels;
};

std::vector<Device> devices() {
  std::vector<Device> all;
  const char* names[] = {"baseline", "avx2", "avx512", "avx512_bf16"};
  for (int isa = G4_ISA_BASELINE; isa <= G4_ISA_AVX512_BF16; isa++)
    for (int threads : {1, 2, 3}) {
      g4_stream stream = nullptr;
      check(g4_stream_create(threads, isa, &stream) == G4_OK, "stream");
      if (g4_stream_isa(stream) != isa) {
        g4_stream_destroy(stream);
        continue;
      }
      all.push_back({std::string(names[isa]) + "/" + std::to_string(threads), isa, threads, stream, &g4::stream_of(stream).kernels()});
    }
#ifdef G4_X86
  if (emulation_runs_here())
    for (int threads : {1, 2})
      all.push_back({"emulated_bf16/" + std::to_string(threads), G4_ISA_AVX512_BF16, threads,
                     new g4::Stream(threads, G4_ISA_AVX512_BF16, emulated_bf16_kernels()), &emulated_bf16_kernels()});
#endif
  return all;
}

template <class T>
constexpr int dtype_of() { return sizeof(T) == 4 ? G4_F32 : G4_BF16; }

int64_t even(int64_t k) { return (k + 1) / 2 * 2; }
int64_t packed_count(int64_t n, int64_t k) { return (n + 31) / 32 * 32 * even(k); }
int64_t place(const float*, int64_t n, int64_t k, int64_t width) { return n / 32 * 32 * even(width) + k * 32 + n % 32; }
int64_t place(const bf16*, int64_t n, int64_t k, int64_t width) { return n / 32 * 32 * even(width) + k / 2 * 64 + n % 32 * 2 + k % 2; }

template <class T>
Buffer<T> packed(const Buffer<T>& w, int64_t n, int64_t k) {
  Buffer<T> out(packed_count(n, k));
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < k; j++) out[place(out.data(), i, j, k)] = w[i * k + j];
  return out;
}

std::string shape(const std::string& what, const Device& d, int64_t m, int64_t n, int64_t k) {
  return what + " " + d.name + " m=" + std::to_string(m) + " n=" + std::to_string(n) + " k=" + std::to_string(k);
}

// Largest error relative to the sum of the magnitudes that went into an element.
struct Error {
  double worst = 0;
  void add(double got, double want, double magnitude) {
    const double error = std::abs(got - want) / (magnitude + 1e-30);
    if (!(error <= worst)) worst = std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
  }
};

// A chain of `depth` rounded sums errs by a few ulp of the magnitudes; a bf16 result by half of 2^-8 of itself.
template <class Y>
double tolerance() { return sizeof(Y) == 4 ? 2e-6 : 5e-3; }

template <class T, class Y>
void test_forward(const std::vector<Device>& all, int64_t m, int64_t n, int64_t k, bool bias, bool accumulate) {
  Random random(uint64_t(m * 1000003 + n * 1009 + k));
  Buffer<T> x(m * k), w(n * k), b(n);
  Buffer<Y> before(m * n);
  x.fill_random(random);
  w.fill_random(random);
  b.fill_random(random);
  before.fill_random(random);
  const Buffer<T> pw = packed(w, n, k);
  std::vector<double> want(size_t(m * n)), magnitude(size_t(m * n));
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double sum = bias ? to_float(b[j]) : 0.0, size = std::abs(sum);
      for (int64_t c = 0; c < k; c++) {
        const double product = double(to_float(x[i * k + c])) * double(to_float(w[j * k + c]));
        sum += product;
        size += std::abs(product);
      }
      if (accumulate) {
        sum += to_float(before[i * n + j]);
        size += std::abs(to_float(before[i * n + j]));
      }
      want[size_t(i * n + j)] = sum;
      magnitude[size_t(i * n + j)] = size;
    }
  std::unique_ptr<Buffer<Y>> fused;  // the result of the first instruction set with fused products
  for (const Device& d : all) {
    const std::string name = shape(sizeof(T) == 4 ? "linear f32" : sizeof(Y) == 4 ? "linear bf16->f32" : "linear bf16", d, m, n, k);
    Buffer<Y> y(before);
    const auto run = [&](Y* to, const T* from, int64_t rows) {
      return d.kernels->linear(d.stream, to, dtype_of<Y>(), from, pw.data(), bias ? b.data() : nullptr, rows, n, k, accumulate, dtype_of<T>());
    };
    check(run(y.data(), x.data(), m) == G4_OK, name);
    Error error;
    for (int64_t i = 0; i < m * n; i++) error.add(to_float(y[i]), want[size_t(i)], magnitude[size_t(i)]);
    check(error.worst < tolerance<Y>(), name + " error " + std::to_string(error.worst));
    if (d.isa != G4_ISA_BASELINE) {
      if (!fused) fused = std::make_unique<Buffer<Y>>(y);
      else check(y.same_bits(*fused), name + ": bits differ from the first fused instruction set, one thread");
    }
    for (int64_t rows : {1, 2, 3, 5, 12, 13, 31}) {
      if (rows >= m) continue;
      const int64_t row0 = random.below(m - rows + 1);
      Buffer<Y> some(rows * n);
      std::memcpy(some.data(), before.data() + row0 * n, some.bytes());
      Buffer<T> part(rows * k);
      std::memcpy(part.data(), x.data() + row0 * k, part.bytes());
      run(some.data(), part.data(), rows);
      check(std::memcmp(some.data(), y.data() + row0 * n, some.bytes()) == 0, name + ": bits of " + std::to_string(rows) + " rows alone differ");
    }
  }
}

template <class T, class S>
void test_backward(const std::vector<Device>& all, int64_t m, int64_t n, int64_t k, bool accumulate) {
  Random random(uint64_t(m * 7919 + n * 104729 + k));
  Buffer<T> x(m * k), w(n * k), dx_before(m * k);
  Buffer<S> dy(m * n);
  Buffer<float> dw_before(packed_count(n, k)), db_before(n);
  x.fill_random(random);
  w.fill_random(random);
  dy.fill_random(random);
  dx_before.fill_random(random);
  db_before.fill_random(random);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < k; j++) dw_before[place(dw_before.data(), i, j, k)] = random.uniform();
  const Buffer<T> pw = packed(w, n, k);
  const auto gradient = [&](int64_t i, int64_t j) { return double(to_float(from_float<T>(to_float(dy[i * n + j])))); };

  std::vector<double> dx(size_t(m * k)), dx_size(size_t(m * k)), dw(size_t(n * k)), dw_size(size_t(n * k)), db(size_t(n), 0.0), db_size(size_t(n), 0.0);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      const double g = gradient(i, j);
      db[size_t(j)] += g;
      db_size[size_t(j)] += std::abs(g);
      for (int64_t c = 0; c < k; c++) {
        const double px = g * double(to_float(w[j * k + c])), pw_ = g * double(to_float(x[i * k + c]));
        dx[size_t(i * k + c)] += px;
        dx_size[size_t(i * k + c)] += std::abs(px);
        dw[size_t(j * k + c)] += pw_;
        dw_size[size_t(j * k + c)] += std::abs(pw_);
      }
    }
  std::unique_ptr<Buffer<T>> fused_dx;
  std::unique_ptr<Buffer<float>> fused_dw, fused_db;
  for (const Device& d : all) {
    const std::string name = shape(sizeof(T) == 4 ? "backward f32" : sizeof(S) == 4 ? "backward bf16, f32 dy" : "backward bf16", d, m, n, k);
    Buffer<T> got_dx(dx_before);
    Buffer<float> got_dw(dw_before), got_db(db_before);
    check(d.kernels->linear_backward_input(d.stream, got_dx.data(), dy.data(), dtype_of<S>(), pw.data(), m, n, k, accumulate, dtype_of<T>()) == G4_OK, name);
    check(d.kernels->linear_backward_weight(d.stream, got_dw.data(), got_db.data(), dy.data(), dtype_of<S>(), x.data(), m, n, k, dtype_of<T>()) == G4_OK, name);
    Error e_dx, e_dw, e_db;
    for (int64_t i = 0; i < m * k; i++) {
      const double old = accumulate ? to_float(dx_before[i]) : 0.0;
      e_dx.add(to_float(got_dx[i]), dx[size_t(i)] + old, dx_size[size_t(i)] + std::abs(old));
    }
    for (int64_t j = 0; j < n; j++) {
      e_db.add(got_db[j], db[size_t(j)] + db_before[j], db_size[size_t(j)] + std::abs(db_before[j]));
      for (int64_t c = 0; c < k; c++) {
        const int64_t at = place(got_dw.data(), j, c, k);
        e_dw.add(got_dw[at], dw[size_t(j * k + c)] + dw_before[at], dw_size[size_t(j * k + c)] + std::abs(dw_before[at]));
      }
    }
    check(e_dx.worst < tolerance<T>(), name + " dx error " + std::to_string(e_dx.worst));
    check(e_dw.worst < 2e-6, name + " dw error " + std::to_string(e_dw.worst));
    check(e_db.worst < 2e-6, name + " dbias error " + std::to_string(e_db.worst));
    bool clean = true;
    for (int64_t j = 0; j < (n + 31) / 32 * 32; j++)
      for (int64_t c = 0; c < even(k); c++)
        if (j >= n || c >= k) clean &= got_dw[place(got_dw.data(), j, c, k)] == 0.0f;
    check(clean, name + ": padding of dw is not zero");
    if (d.isa != G4_ISA_BASELINE) {
      if (!fused_dx) {
        fused_dx = std::make_unique<Buffer<T>>(got_dx);
        fused_dw = std::make_unique<Buffer<float>>(got_dw);
        fused_db = std::make_unique<Buffer<float>>(got_db);
      } else {
        check(got_dx.same_bits(*fused_dx), name + ": bits of dx differ from the first fused instruction set, one thread");
        check(got_dw.same_bits(*fused_dw), name + ": bits of dw differ from the first fused instruction set, one thread");
        check(got_db.same_bits(*fused_db), name + ": bits of dbias differ from the first fused instruction set, one thread");
      }
    }
    const int64_t rows = 1 + random.below(m);
    Buffer<T> part(rows * k);
    std::memcpy(part.data(), dx_before.data(), part.bytes());
    d.kernels->linear_backward_input(d.stream, part.data(), dy.data(), dtype_of<S>(), pw.data(), rows, n, k, accumulate, dtype_of<T>());
    check(std::memcmp(part.data(), got_dx.data(), part.bytes()) == 0, name + ": bits of dx depend on the rows beside");
  }
}

template <class P, class S>
void test_pack(const Device& d, int64_t n, int64_t k, int64_t row0, int64_t rows, int src_dtype) {
  Random random(uint64_t(n + k));
  const int packed_dtype = dtype_of<P>();
  const std::string name = shape("pack", d, rows, n, k) + " row0=" + std::to_string(row0);
  Buffer<S> src(rows * k), back(rows * k);
  src.fill_random(random);
  Buffer<P> w(packed_count(n, k));
  for (int64_t i = 0; i < n; i++)
    for (int64_t c = 0; c < k; c++) w[place(w.data(), i, c, k)] = from_float<P>(7.0f);
  Buffer<P> want(w);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t c = 0; c < k; c++) want[place(w.data(), row0 + i, c, k)] = from_float<P>(to_float(src[i * k + c]));
  check(d.kernels->pack_rows(d.stream, w.data(), packed_dtype, src.data(), src_dtype, row0, rows, n, k) == G4_OK, name);
  check(w.same_bits(want), name + " pack");
  check(d.kernels->unpack_rows(d.stream, back.data(), src_dtype, w.data(), packed_dtype, row0, rows, n, k) == G4_OK, name);
  bool same = true;
  for (int64_t i = 0; i < rows * k; i++) same &= to_float(back[i]) == to_float(from_float<S>(to_float(from_float<P>(to_float(src[i])))));
  check(same, name + " unpack");
}

void test_casts(const Device& d) {
  // Every half and every bf16, with an odd tail.
  constexpr int64_t kAll = 65536 + 3;
  Buffer<f16> halves(kAll), half_back(kAll);
  Buffer<bf16> brains(kAll), brain_back(kAll);
  Buffer<float> floats(kAll);
  for (int64_t i = 0; i < kAll; i++) {
    halves[i].bits = uint16_t(i);
    brains[i].bits = uint16_t(i);
  }
  const auto run = [&](void* dst, int dst_dtype, const void* src, int src_dtype, int64_t count) {
    check(d.kernels->cast(d.stream, dst, dst_dtype, src, src_dtype, count) == G4_OK, "cast " + d.name);
  };
  run(floats.data(), G4_F32, halves.data(), G4_F16, kAll);
  run(half_back.data(), G4_F16, floats.data(), G4_F32, kAll);
  int wrong = 0;
  for (int64_t i = 0; i < kAll; i++) {
    const uint16_t h = uint16_t(i);
    const double magnitude = (h & 0x7c00) == 0 ? (h & 0x3ff) * 0x1p-24 : std::ldexp(1024.0 + (h & 0x3ff), ((h >> 10) & 31) - 25);
    if ((h & 0x7c00) == 0x7c00) {
      wrong += (h & 0x3ff) != 0 ? !std::isnan(floats[i]) || (half_back[i].bits & 0x7fff) <= 0x7c00 : !std::isinf(floats[i]) || half_back[i].bits != h;
    } else {
      wrong += double(std::abs(floats[i])) != magnitude || std::signbit(floats[i]) != ((h & 0x8000) != 0) || half_back[i].bits != h;
    }
  }
  check(wrong == 0, "f16 -> f32 -> f16 " + d.name);
  run(floats.data(), G4_F32, brains.data(), G4_BF16, kAll);
  run(brain_back.data(), G4_BF16, floats.data(), G4_F32, kAll);
  wrong = 0;
  for (int64_t i = 0; i < kAll; i++) wrong += std::isnan(floats[i]) ? (brain_back[i].bits & 0x7fff) <= 0x7f80 : brain_back[i].bits != uint16_t(i);
  check(wrong == 0, "bf16 -> f32 -> bf16 " + d.name);
  // Rounding: random bit patterns against the nearest value, ties to even, in double arithmetic.
  Random random(5);
  Buffer<float> any(4099);
  for (int64_t i = 0; i < any.count(); i++) {
    any[i] = g4::float_of_bits(uint32_t(random.next()));
    if (i % 3 == 0) any[i] = g4::float_of_bits((uint32_t(random.next()) & 0x8fffffff) | 0x30000000);  // the range of half
    if (i % 7 == 0) any[i] = g4::float_of_bits((g4::bits_of(any[i]) & 0xffff0000) | 0x8000);          // ties
    if (i % 11 == 0) any[i] = g4::float_of_bits((g4::bits_of(any[i]) & 0xffffe000) | 0x1000);
  }
  run(half_back.data(), G4_F16, any.data(), G4_F32, any.count());
  run(brain_back.data(), G4_BF16, any.data(), G4_F32, any.count());
  int wrong_half = 0, wrong_brain = 0;
  for (int64_t i = 0; i < any.count(); i++) {
    const double x = any[i];
    if (std::isnan(x)) {
      wrong_half += (half_back[i].bits & 0x7fff) <= 0x7c00;
      wrong_brain += (brain_back[i].bits & 0x7fff) <= 0x7f80;
      continue;
    }
    int exponent = 0;
    std::frexp(x, &exponent);
    const auto rounded = [&](int precision, int least) {
      const int ulp = std::max(exponent - precision, least);
      return std::isinf(x) ? x : std::ldexp(std::nearbyint(std::ldexp(x, -ulp)), ulp);
    };
    double half = rounded(11, -24), brain = rounded(8, -133);
    if (std::abs(half) > 65504.0) half = std::copysign(std::numeric_limits<double>::infinity(), x);
    if (std::abs(brain) > 3.3895313892515355e38) brain = std::copysign(std::numeric_limits<double>::infinity(), x);
    wrong_half += double(to_float(half_back[i])) != half;
    wrong_brain += double(to_float(brain_back[i])) != brain;
  }
  check(wrong_half == 0, "f32 -> f16 rounding " + d.name + ", wrong: " + std::to_string(wrong_half));
  check(wrong_brain == 0, "f32 -> bf16 rounding " + d.name + ", wrong: " + std::to_string(wrong_brain));
}

template <class T>
void test_add(const Device& d, int64_t count) {
  Random random{uint64_t(count)};
  Buffer<T> a(count), b(count);
  a.fill_random(random);
  b.fill_random(random);
  Buffer<T> want(count);
  for (int64_t i = 0; i < count; i++) want[i] = from_float<T>(to_float(a[i]) + to_float(b[i]));
  check(d.kernels->add(d.stream, a.data(), b.data(), count, dtype_of<T>()) == G4_OK && a.same_bits(want), "add " + d.name);
}

template <class T>
void test_embedding(const Device& d, int64_t tokens, int64_t vocab, int64_t width) {
  Random random(11);
  Buffer<T> w(vocab * width), y(tokens * width), dy(tokens * width);
  Buffer<int32_t> ids(tokens);
  w.fill_random(random);
  dy.fill_random(random);
  for (int64_t t = 0; t < tokens; t++) ids[t] = int32_t(t % 5 == 0 ? vocab - 1 : random.below(vocab));
  const Buffer<T> pw = packed(w, vocab, width);
  Buffer<float> dw(packed_count(vocab, width));
  Buffer<float> want(dw);
  bool same = true;
  check(d.kernels->embedding(d.stream, y.data(), pw.data(), ids.data(), tokens, vocab, width, dtype_of<T>()) == G4_OK, "embedding");
  for (int64_t t = 0; t < tokens; t++)
    for (int64_t c = 0; c < width; c++) {
      same &= to_float(y[t * width + c]) == to_float(w[ids[t] * width + c]);
      want[place(want.data(), ids[t], c, width)] += to_float(dy[t * width + c]);
    }
  check(same, "embedding " + d.name);
  check(d.kernels->embedding_backward(d.stream, dw.data(), dy.data(), ids.data(), tokens, vocab, width, dtype_of<T>()) == G4_OK, "embedding backward");
  check(dw.same_bits(want), "embedding backward " + d.name);
}

void test_optimizer(const Device& d, int64_t n, int64_t k, bool packed_pairs, bool bf16_weight) {
  const int64_t count = packed_pairs ? packed_count(n, k) : n;
  Random random{uint64_t(count)};
  Buffer<float> p(count), m(count), v(count), g(count), weight(count);
  Buffer<bf16> half(count);
  p.fill_random(random);
  m.fill_random(random, 0.1f);
  g.fill_random(random);
  for (int64_t i = 0; i < count; i++) v[i] = 0.01f * std::abs(random.uniform());
  const Buffer<float> p0(p), m0(m), v0(v);
  const g4_adamw_settings s{0.9, 0.95, 1e-3f, 1e-8f, 0.1f, 1.0f - 0.9f * 0.9f, 1.0f - 0.95f * 0.95f, 0.7f};
  const std::string name = "adamw " + d.name + " count=" + std::to_string(count);
  g4_ptr to = bf16_weight ? static_cast<void*>(half.data()) : weight.data();
  check(d.kernels->adamw(d.stream, to, bf16_weight ? G4_BF16 : G4_F32, packed_pairs, p.data(), m.data(), v.data(), g.data(), count, &s) == G4_OK, name);
  Error e_p, e_m, e_v;
  bool copies = true;
  for (int64_t i = 0; i < count; i++) {
    const double grad = double(g[i]) * s.grad_scale;
    const double m1 = double(s.beta1) * m0[i] + (1.0 - s.beta1) * grad;
    const double v1 = double(s.beta2) * v0[i] + (1.0 - s.beta2) * grad * grad;
    const double p1 = p0[i] * (1.0 - double(s.learning_rate) * s.weight_decay) -
                      s.learning_rate * (m1 / s.bias_correction1) / (std::sqrt(v1 / s.bias_correction2) + s.epsilon);
    e_p.add(p[i], p1, std::abs(p1) + s.learning_rate);
    e_m.add(m[i], m1, std::abs(s.beta1 * m0[i]) + std::abs((1.0 - s.beta1) * grad));
    e_v.add(v[i], v1, v1);
    if (bf16_weight) {
      const int64_t at = packed_pairs ? i / 64 * 64 + i % 32 * 2 + i % 64 / 32 : i;
      copies &= half[at].bits == g4::to_bf16(p[i]).bits;
    } else {
      copies &= weight[i] == p[i];
    }
  }
  check(e_p.worst < 5e-7 && e_m.worst < 5e-7 && e_v.worst < 5e-7, name + " errors " + std::to_string(e_p.worst) + " " + std::to_string(e_m.worst) + " " + std::to_string(e_v.worst));
  check(copies, name + ": the storage copy differs from the master");
  if (packed_pairs) {
    Buffer<bf16> again(count);
    check(d.kernels->cast_packed(d.stream, again.data(), p.data(), n, k) == G4_OK, name);
    bool same = true;
    for (int64_t i = 0; i < count; i++) same &= again[i / 64 * 64 + i % 32 * 2 + i % 64 / 32].bits == g4::to_bf16(p[i]).bits;
    check(same, "cast_packed " + d.name);
  }
}

void test_sum_squares(const std::vector<Device>& all, int64_t count) {
  Random random{uint64_t(count)};
  Buffer<float> g(count);
  g.fill_random(random, 1e-3f);
  if (count > 100) g[count / 2] = 3e25f;  // its square does not fit a float
  double want = 2.0;
  for (int64_t i = 0; i < count; i++) want += double(g[i]) * double(g[i]);
  double first[2] = {};
  for (const Device& d : all) {
    double out[2] = {2.0, 1.0};
    check(d.kernels->sum_squares(d.stream, out, g.data(), nullptr, count) == G4_OK, "sum_squares");
    check(std::abs(out[0] - want) <= 1e-12 * want && out[1] == 1.0, "sum_squares " + d.name + " count=" + std::to_string(count));
    if (&d == &all.front()) std::memcpy(first, out, sizeof out);
    check(std::memcmp(first, out, sizeof out) == 0, "sum_squares: bits differ " + d.name);
    if (count < 3) continue;
    Buffer<float> bad(g);
    bad[0] = std::numeric_limits<float>::infinity();
    bad[count - 1] = std::numeric_limits<float>::quiet_NaN();
    double counted[2] = {};
    d.kernels->sum_squares(d.stream, counted, bad.data(), nullptr, count);
    check(counted[1] == 2.0, "sum_squares counts non-finite " + d.name);
  }
}

}  // namespace

int main() {
  const std::vector<Device> all = devices();
  for (const Device& d : all)
    if (d.threads == 1) std::printf("testing %s\n", d.name.c_str());

  struct Shape {
    int64_t m, n, k;
  };
  const Shape shapes[] = {{1, 1, 1},    {1, 32, 2},    {2, 33, 3},     {3, 64, 96},   {7, 31, 257},   {12, 96, 256},
                          {13, 100, 513}, {25, 40, 17},  {37, 192, 96},  {64, 65, 700}, {130, 288, 259}, {8, 1300, 130},
                          {300, 70, 33}, {530, 40, 20}};
  // Deep ones: more packed rows than one stretch of the depth holds, in each of the products.
  const Shape deep[] = {{300, 40, 1300}, {2, 33, 12001}, {300, 1300, 40}, {1300, 33, 300}};
  for (const Shape& s : shapes) {
    for (bool accumulate : {false, true}) {
      const bool bias = (s.m % 2 == 1) != accumulate;
      test_forward<float, float>(all, s.m, s.n, s.k, bias, accumulate);
      test_forward<bf16, bf16>(all, s.m, s.n, s.k, bias, accumulate);
      test_forward<bf16, float>(all, s.m, s.n, s.k, !bias, accumulate);
      test_backward<float, float>(all, s.m, s.n, s.k, accumulate);
      test_backward<bf16, bf16>(all, s.m, s.n, s.k, accumulate);
      test_backward<bf16, float>(all, s.m, s.n, s.k, accumulate);
    }
  }
  for (const Shape& s : deep) {
    test_forward<float, float>(all, s.m, s.n, s.k, true, s.m == 2);
    test_forward<bf16, bf16>(all, s.m, s.n, s.k, true, s.m == 2);
    test_backward<float, float>(all, s.m, s.n, s.k, true);
    test_backward<bf16, bf16>(all, s.m, s.n, s.k, false);
  }
  test_sum_squares(all, 0);
  test_sum_squares(all, 5);
  test_sum_squares(all, 200003);
  for (const Device& d : all) {
    test_casts(d);
    for (const Shape& s : {Shape{32, 32, 16}, Shape{96, 100, 33}, Shape{1, 40, 64}, Shape{50, 70, 97}}) {
      const int64_t row0 = s.n - s.m > 3 ? (s.k % 2 != 0 ? 3 : 32 * ((s.n - s.m) / 32)) : 0;
      test_pack<float, float>(d, s.n, s.k, row0, s.m, G4_F32);
      test_pack<bf16, float>(d, s.n, s.k, row0, s.m, G4_F32);
      test_pack<float, bf16>(d, s.n, s.k, row0, s.m, G4_BF16);
      test_pack<float, f16>(d, s.n, s.k, row0, s.m, G4_F16);
      test_pack<bf16, bf16>(d, s.n, s.k, row0, s.m, G4_BF16);
      test_pack<bf16, f16>(d, s.n, s.k, row0, s.m, G4_F16);
    }
    for (int64_t count : {1, 37, 70001}) {
      test_add<float>(d, count);
      test_add<bf16>(d, count);
    }
    test_embedding<float>(d, 50, 70, 33);
    test_embedding<bf16>(d, 50, 70, 33);
    for (bool half : {false, true}) {
      test_optimizer(d, 65, 33, true, half);
      test_optimizer(d, 77, 0, false, half);
    }
    test_optimizer(d, 1000, 96, true, true);
  }
  for (const Device& d : all) g4_stream_destroy(d.stream);
  return report();
}
