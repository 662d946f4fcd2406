// Norms, rotary embeddings, SwiGLU, log-probs and the policy loss against double references and finite differences.
#include "reference.h"

using namespace reference;

namespace {

double tolerance(int dtype, double f32, double bf16) { return dtype == G4_F32 ? f32 : bf16; }

void test_norms(g4_stream s, const std::string& name) {
  for (int dtype : {G4_F32, G4_BF16}) {
    for (int64_t width : {5, 64, 96, 250, 896}) {
      const int64_t rows = width == 96 ? 700 : 67;
      const double eps = 1e-5;
      const std::string what = name + " rmsnorm " + std::to_string(width) + (dtype == G4_F32 ? " f32" : " bf16");
      Tensor x(normal(rows * width), dtype), w(normal(width), dtype), dy(normal(rows * width), dtype), y(rows * width, dtype);
      const Tensor before(normal(rows * width), dtype), delta(normal(rows * width), dtype);
      Tensor dx(before), sum(x), sum_y(rows * width, dtype), dw(Doubles(width, 2.0));
      const Doubles xs = x.get(), ws = w.get(), gs = dy.get();
      Doubles ry(xs.size()), rdx = before.get(), rdw(width, 2.0);
      for (int64_t i = 0; i < rows; i++) {
        double ss = 0, dot = 0;
        for (int64_t j = i * width; j < (i + 1) * width; j++) ss += xs[j] * xs[j], dot += gs[j] * ws[j - i * width] * xs[j];
        const double r = 1 / std::sqrt(ss / width + eps);
        for (int64_t j = i * width; j < (i + 1) * width; j++) {
          const double wj = ws[j - i * width];
          ry[j] = xs[j] * r * wj;
          rdx[j] += r * (gs[j] * wj - xs[j] * r * r * dot / width);
          rdw[j - i * width] += gs[j] * xs[j] * r;
        }
      }
      g4_rmsnorm(s, y.data(), x.data(), w.data(), rows, width, float(eps), dtype);
      near(y.get(), ry, tolerance(dtype, 1e-6, 6e-3), what);
      g4_rmsnorm_backward(s, dx.data(), dw.data(), dy.data(), x.data(), w.data(), nullptr, rows, width, float(eps), 1, dtype);
      near(dx.get(), rdx, tolerance(dtype, 1e-6, 6e-3), what + " dx");
      near(dw.get(), rdw, 1e-6, what + " dw");
      Tensor alone(rows * width, dtype), added(x);
      g4_add_rmsnorm(s, sum_y.data(), sum.data(), delta.data(), w.data(), rows, width, float(eps), dtype);
      const Doubles ds = delta.get();
      Doubles total(xs.size());
      for (size_t i = 0; i < total.size(); i++) total[i] = xs[i] + ds[i];
      added.set(total);
      g4_rmsnorm(s, alone.data(), added.data(), w.data(), rows, width, float(eps), dtype);
      check(added.same_bits(sum) && alone.same_bits(sum_y), what + ": add and norm differ from one after the other");
    }
  }
}

void test_rope(g4_stream s, const std::string& name) {
  for (int dtype : {G4_F32, G4_BF16}) {
    for (int64_t D : {8, 24, 64}) {
      const int64_t rows = 300, heads = 3, stride = heads * D + 5, positions = 50;
      Doubles table(positions * D);
      for (int64_t p = 0; p < positions; p++)
        for (int64_t j = 0; j < D / 2; j++) {
          const double angle = double(p) * std::pow(1e4, -2.0 * double(j) / double(D));
          table[p * D + j] = std::cos(angle), table[p * D + D / 2 + j] = std::sin(angle);
        }
      Ints position(rows);
      for (int64_t i = 0; i < rows; i++) position[i] = int32_t(i * 7 % positions);
      const Tensor cos_sin(table), original(normal(rows * stride), dtype);
      const Doubles a = original.get();
      for (int inverse : {0, 1}) {
        Doubles expected = a;
        for (int64_t i = 0; i < rows; i++)
          for (int64_t h = 0; h < heads; h++)
            for (int64_t j = 0; j < D / 2; j++) {
              const int64_t at = i * stride + h * D + j;
              const double c = table[position[i] * D + j], n = table[position[i] * D + D / 2 + j] * (inverse ? -1 : 1);
              expected[at] = a[at] * c - a[at + D / 2] * n;
              expected[at + D / 2] = a[at + D / 2] * c + a[at] * n;
            }
        Tensor x(original);
        g4_rope(s, x.data(), cos_sin.data(), position.data(), rows, heads, D, stride, inverse, dtype);
        near(x.get(), expected, tolerance(dtype, 1e-6, 6e-3), name + " rope " + std::to_string(D));
        for (int64_t i = 0; i < rows; i++)
          for (int64_t j = heads * D; j < stride; j++) check(x.get()[i * stride + j] == a[i * stride + j] || i > 3, name + " rope wrote outside the heads");
      }
    }
  }
}

void test_swiglu(g4_stream s, const std::string& name) {
  for (int dtype : {G4_F32, G4_BF16}) {
    const int64_t rows = 90, width = 117;
    Doubles in = normal(rows * 2 * width, 3);
    const double edge[] = {0.0, -0.0, 30, -30, 88, -88, 104, -104};
    for (int i = 0; i < 8; i++) in[i] = edge[i];
    const Tensor gate_up(in, dtype), dy(normal(rows * width), dtype), y(rows * width, dtype), again(rows * width, dtype), d(rows * 2 * width, dtype),
        in_place(rows * 2 * width, dtype);
    const Doubles x = gate_up.get(), g = dy.get();
    Doubles ry(rows * width), rd(rows * 2 * width);
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = 0; j < width; j++) {
        const double a = x[i * 2 * width + j], u = x[i * 2 * width + width + j], sig = 1 / (1 + std::exp(-a));
        ry[i * width + j] = a * sig * u;
        rd[i * 2 * width + j] = g[i * width + j] * u * sig * (1 + a * (1 - sig));
        rd[i * 2 * width + width + j] = g[i * width + j] * a * sig;
      }
    g4_swiglu(s, y.data(), gate_up.data(), rows, width, dtype);
    g4_swiglu_backward(s, d.data(), again.data(), dy.data(), gate_up.data(), rows, width, dtype);
    g4_swiglu_backward(s, in_place.data(), dy.data(), dy.data(), gate_up.data(), rows, width, dtype);
    near(y.get(), ry, tolerance(dtype, 1e-6, 6e-3), name + " swiglu");
    near(d.get(), rd, tolerance(dtype, 1e-6, 6e-3), name + " swiglu backward");
    check(again.same_bits(y) && dy.same_bits(y), name + ": swiglu backward gives another y");
    check(in_place.same_bits(d), name + ": swiglu backward in place gives another gradient");
  }
}

struct RowReference {
  double logprob, entropy, lse;
  Doubles p;
};

RowReference softmax_row(const double* x, int64_t vocab, int32_t target, double inv) {
  double m = -1e300, sum = 0, dot = 0;
  for (int64_t v = 0; v < vocab; v++) m = std::max(m, x[v] * inv);
  Doubles p(vocab);
  for (int64_t v = 0; v < vocab; v++) {
    const double t = x[v] * inv - m;
    p[v] = std::exp(t);
    sum += p[v];
    if (p[v] > 0) dot += p[v] * t;
  }
  for (double& e : p) e /= sum;
  return {x[target] * inv - m - std::log(sum), std::log(sum) - dot / sum, m + std::log(sum), p};
}

struct LogitRows {
  int64_t rows, vocab;
  Doubles x;
  Ints targets;

  LogitRows(int64_t r, int64_t v) : rows(r), vocab(v), x(normal(r * v, 2.5)), targets(r) {
    for (int64_t i = 0; i < r; i++) targets[i] = int32_t(i * 977 % v);
    for (int64_t j = 0; j < v; j++) {
      x[j] += 1000;              // row 0 far from 0
      if (r > 2) x[2 * v + j] = 0.25;  // row 2 all equal
    }
    if (r > 1) x[v + targets[1]] = 60;                                     // row 1 near one-hot
    if (r > 3) for (int64_t j = v / 2; j < v; j++) x[3 * v + j] = -INFINITY;  // row 3 half masked
    if (r > 3) targets[3] = 1;
    for (double& e : x) e = float(e);
  }
};

void test_logprob(g4_stream s, const std::string& name) {
  for (const auto& [rows, vocab] : {std::pair<int64_t, int64_t>{12, 384}, {5, 5001}, {1, 151936}, {300, 65}}) {
    const LogitRows in(rows, vocab);
    for (double temperature : {1.0, 0.7}) {
      const float inv = 1.0f / float(temperature);
      const std::string what = name + " logprob " + std::to_string(rows) + "x" + std::to_string(vocab);
      const Tensor x(in.x), lp(rows), entropy(rows), lse(rows);
      g4_logprob(s, lp.data(), entropy.data(), lse.data(), x.data(), in.targets.data(), rows, vocab, inv);
      const Tensor d_lp(normal(rows)), d_h(normal(rows));
      Doubles plain(in.x.size()), both(in.x.size());
      for (int64_t i = 0; i < rows; i++) {
        const RowReference r = softmax_row(&in.x[i * vocab], vocab, in.targets[i], inv);
        close(lp.floats()[i], r.logprob, i == 0 ? 2e-3 : 5e-5, what + " row " + std::to_string(i));
        close(entropy.floats()[i], r.entropy, 1e-5, what + " entropy of row " + std::to_string(i));
        close(lse.floats()[i], r.lse, 1e-6 * std::fabs(r.lse) + 1e-6, what + " lse");
        for (int64_t v = 0; v < vocab; v++) {
          const double p = r.p[v], log_p = p > 0 ? in.x[i * vocab + v] * inv - r.lse : 0;
          const double g = d_lp.floats()[i] * ((v == in.targets[i]) - p);
          plain[i * vocab + v] = inv * g;
          both[i * vocab + v] = inv * (g - d_h.floats()[i] * p * (log_p + r.entropy));
        }
      }
      const auto without_first = [&](const Doubles& all) { return rows > 1 ? Doubles(all.begin() + vocab, all.end()) : all; };
      const double limit = rows == 1 ? 1e-3 : 1e-6;
      Tensor g1(x), g2(x);
      g4_logprob_backward(s, g1.data(), d_lp.data(), nullptr, in.targets.data(), rows, vocab, inv);
      g4_logprob_backward(s, g2.data(), d_lp.data(), d_h.data(), in.targets.data(), rows, vocab, inv);
      near(without_first(g1.get()), without_first(plain), limit, what + " backward");
      near(without_first(g2.get()), without_first(both), limit, what + " backward with entropy");

      // The exact KL divergence: a row that equals its reference has none, a row without a derivative gets no gradient.
      Doubles reference = normal(rows * vocab);
      for (int64_t v = 0; v < vocab && rows > 2; v++) reference[2 * vocab + v] = in.x[2 * vocab + v];
      const Tensor y(reference);
      Tensor d_kl(normal(rows)), kl(rows), by_kl(y);
      if (rows > 3) d_kl.floats()[3] = 0;
      Doubles d_by_kl(in.x.size());
      g4_kl(s, kl.data(), x.data(), y.data(), rows, vocab, inv);
      g4_kl_backward(s, by_kl.data(), x.data(), d_kl.data(), rows, vocab, inv);
      for (int64_t i = 0; i < rows; i++) {
        const RowReference p = softmax_row(&in.x[i * vocab], vocab, 0, inv), r = softmax_row(&y.get()[i * vocab], vocab, 0, inv);
        const auto difference = [&](int64_t v) { return (in.x[i * vocab + v] - y.floats()[i * vocab + v]) * inv - (p.lse - r.lse); };
        double divergence = 0;
        for (int64_t v = 0; v < vocab; v++) divergence += p.p[v] > 0 ? p.p[v] * difference(v) : 0;
        close(kl.floats()[i], divergence, i == 0 ? 2e-3 : 2e-5 * (1 + divergence), what + " kl of row " + std::to_string(i));
        for (int64_t v = 0; v < vocab; v++) d_by_kl[i * vocab + v] = p.p[v] > 0 ? d_kl.floats()[i] * inv * p.p[v] * (difference(v) - divergence) : 0;
      }
      if (rows > 2) check(kl.floats()[2] == 0.0f, what + ": equal rows have no divergence");
      // t, u and the shift are fp32 numbers of up to 30, so their difference has an error of three half ulps, 3e-6.
      near(without_first(by_kl.get()), without_first(d_by_kl), rows == 1 ? 1e-3 : 5e-6, what + " gradient by kl");

      // The policy loss: the same statistics to the bit; with LINEAR the same gradient; rows of weight 0 stay out of it.
      Tensor g3(x), weights(d_lp), lp3(rows), h3(rows), d3(rows);
      if (rows > 4) weights.floats()[4] = 0;
      if (rows > 4) for (int64_t v = 0; v < vocab; v++) plain[4 * vocab + v] = 0;
      const g4_token_loss linear{G4_LOSS_LINEAR, G4_KL_NONE, 0, 0, 0, INFINITY, INFINITY};
      g4_policy_loss(s, lp3.data(), h3.data(), d3.data(), g3.data(), in.targets.data(), weights.data(), nullptr, nullptr, nullptr, nullptr, nullptr, rows, vocab, inv, &linear);
      check(lp3.same_bits(lp) && h3.same_bits(entropy), what + ": the loss sees other statistics");
      check(d3.same_bits(weights), what + ": linear loss");
      near(g3.get(), plain, 1e-6, what + " gradient of the linear loss");
      if (rows > 4) for (int64_t v = 0; v < vocab; v++) check(g3.floats()[4 * vocab + v] == 0.0f, what + ": weight 0");
    }
  }
}

// The loss as the header writes it, in double, as a function of the log-prob.
double token_loss(double lp, double h, double w, double a, const double* old, double ref, double low, double high, const g4_token_loss& t) {
  const double r = old != nullptr ? std::exp(lp - *old) : 1.0;
  double objective = std::min(std::min(r, double(t.ratio_cap)) * a, std::min(std::max(r, low), high) * a);
  if (a < 0) objective = std::max(objective, -double(t.dual_clip) * std::fabs(a));
  const double d = ref - lp;
  double kl = t.kl_kind == G4_KL_K1 ? -d : t.kl_kind == G4_KL_K2 ? d * d / 2 : t.kl_kind == G4_KL_K3 ? std::exp(d) - d - 1 : 0;
  if (t.kl_times_ratio) kl *= r;
  return w * (-objective + t.kl_coef * kl - t.entropy_coef * h);
}

void test_policy_loss(g4_stream s, const std::string& name) {
  const int64_t rows = 40, vocab = 37;
  LogitRows in(rows, vocab);
  const float inv = 1.0f / 0.9f;
  const Tensor x(in.x), lp(rows), entropy(rows);
  g4_logprob(s, lp.data(), entropy.data(), nullptr, x.data(), in.targets.data(), rows, vocab, inv);
  Doubles old = lp.get(), ref = lp.get();
  const Doubles shift = normal(rows, 0.6), ref_shift = normal(rows, 0.5);
  for (int64_t i = 0; i < rows; i++) old[i] += shift[i], ref[i] += ref_shift[i];
  const Tensor weight(normal(rows)), advantage(normal(rows)), old_lp(old), ref_lp(ref), low(Doubles(rows, 0.8)), high(Doubles(rows, 1.28));
  for (int kl : {G4_KL_NONE, G4_KL_K1, G4_KL_K2, G4_KL_K3}) {
    for (int times_ratio : {0, 1}) {
      for (const auto& [cap, dual] : {std::pair<float, float>{INFINITY, INFINITY}, {1.1f, 1.5f}}) {
        const g4_token_loss t{G4_LOSS_CLIPPED, kl, times_ratio, 0.3f, 0.07f, cap, dual};
        const std::string what = name + " policy loss kl " + std::to_string(kl) + (times_ratio ? " r" : "") + (std::isinf(cap) ? "" : " capped");
        Tensor g(x), lp2(rows), h2(rows), d(rows);
        g4_policy_loss(s, lp2.data(), h2.data(), d.data(), g.data(), in.targets.data(), weight.data(), advantage.data(), old_lp.data(), ref_lp.data(), low.data(),
                       high.data(), rows, vocab, inv, &t);
        Doubles expected(rows), columns, numeric;
        for (int64_t i = 0; i < rows; i++) {
          const auto loss = [&](double at, double h) {
            const double o = old_lp.floats()[i];
            return token_loss(at, h, weight.floats()[i], advantage.floats()[i], &o, ref_lp.floats()[i], 0.8f, 1.28f, t);
          };
          const double at = lp.floats()[i], e = 1e-6;
          expected[i] = (loss(at + e, 0) - loss(at - e, 0)) / (2 * e);
          if (i < 4) continue;  // smooth rows only: finite differences of the whole loss by every logit
          for (int64_t v = 0; v < vocab; v++) {
            double side[2];
            for (int k : {0, 1}) {
              Doubles moved(in.x.begin() + i * vocab, in.x.begin() + (i + 1) * vocab);
              moved[v] += k == 0 ? -1e-5 : 1e-5;
              const RowReference r = softmax_row(moved.data(), vocab, in.targets[i], inv);
              side[k] = loss(r.logprob, r.entropy);
            }
            numeric.push_back((side[1] - side[0]) / 2e-5);
            columns.push_back(g.floats()[i * vocab + v]);
          }
        }
        near(d.get(), expected, 1e-5, what + " d_logprob");
        near(columns, numeric, 2e-5, what + " d logits");
      }
    }
  }
  // On policy: r = 1 with its gradient.
  const g4_token_loss plain{G4_LOSS_CLIPPED, G4_KL_NONE, 0, 0, 0, INFINITY, INFINITY};
  Tensor g(x), lp2(rows), h2(rows), d(rows);
  g4_policy_loss(s, lp2.data(), h2.data(), d.data(), g.data(), in.targets.data(), weight.data(), advantage.data(), nullptr, nullptr, nullptr, nullptr, rows, vocab, inv, &plain);
  for (int64_t i = 0; i < rows; i++) close(d.floats()[i], -double(weight.floats()[i]) * advantage.floats()[i], 1e-6, name + " on-policy loss");
}

}  // namespace

int main() {
  on_every_stream([](g4_stream s, const std::string& name) {
    test_norms(s, name);
    test_rope(s, name);
    test_swiglu(s, name);
    test_logprob(s, name);
    test_policy_loss(s, name);
  });
  return finish("rows");
}
