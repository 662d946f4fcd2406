// Log-probs, entropy and the policy loss on the shapes of the CPU kernels' tests: references in double, and the CPU itself.
#pragma once

#include "case_test.h"
#include "cpu_library.h"

namespace g4::test {

struct RowReference {
  double logprob, entropy, lse;
  Doubles p, log_p;
};

inline RowReference softmax_row(const double* x, int64_t vocab, int32_t target, double inv) {
  double m = -INFINITY, sum = 0, entropy = 0;
  for (int64_t v = 0; v < vocab; v++) m = std::max(m, x[v]);
  for (int64_t v = 0; v < vocab; v++) sum += std::exp((x[v] - m) * inv);
  Doubles p(vocab), log_p(vocab);
  for (int64_t v = 0; v < vocab; v++) {
    log_p[v] = (x[v] - m) * inv - std::log(sum);
    p[v] = std::exp(log_p[v]);
    if (p[v] > 0) entropy -= p[v] * log_p[v];
  }
  return {log_p[target], entropy, m * inv + std::log(sum), p, log_p};
}

struct LogitRows {
  int64_t rows, vocab;
  Doubles x;
  Ints targets;

  LogitRows(int64_t r, int64_t v) : rows(r), vocab(v), x(normal(r * v, 2.5)), targets(r) {
    for (int64_t i = 0; i < r; i++) targets[i] = int32_t(i * 977 % v);
    for (int64_t j = 0; j < v; j++) {
      x[j] += 1000;                    // row 0 far from 0
      if (r > 2) x[2 * v + j] = 0.25;  // row 2 all equal
    }
    if (r > 1) x[v + targets[1]] = 60;                                        // row 1 near one-hot
    if (r > 3) for (int64_t j = v / 2; j < v; j++) x[3 * v + j] = -INFINITY;  // row 3 half masked
    if (r > 3) targets[3] = 1;
    if (r > 4) for (int64_t j = 0; j < v; j++) x[4 * v + j] = double(j) * 40 / double(v);  // the maximum grows all the way
    for (double& e : x) e = float(e);
  }

  Doubles gradient(const Doubles& d_logprob, const Doubles& d_entropy, double inv) const {
    Doubles all(x.size());
    for (int64_t i = 0; i < rows; i++) {
      const RowReference r = softmax_row(&x[i * vocab], vocab, targets[i], inv);
      for (int64_t v = 0; v < vocab; v++)
        all[i * vocab + v] = inv * (d_logprob[i] * ((v == targets[i]) - r.p[v]) - (r.p[v] > 0 ? d_entropy[i] * r.p[v] * (r.log_p[v] + r.entropy) : 0));
    }
    return all;
  }
};

inline std::string logit_title(const char* op, int64_t rows, int64_t vocab) { return std::string(op) + " " + std::to_string(rows) + "x" + std::to_string(vocab); }

inline void logprob_cases(std::vector<Case>& cases, int64_t rows, int64_t vocab, float inv) {
  const LogitRows in(rows, vocab);
  const Tensor x(in.x, G4_F32), targets(in.targets);
  Doubles logprob, entropy, lse;
  double largest = 0;
  for (int64_t i = 0; i < rows; i++) {
    const RowReference r = softmax_row(&in.x[i * vocab], vocab, in.targets[i], inv);
    logprob.push_back(r.logprob), entropy.push_back(r.entropy), lse.push_back(r.lse);
    largest = std::max(largest, std::fabs(r.lse));
  }
  cases.push_back({logit_title("logprob", rows, vocab), [=] {
    Outputs out;
    const Tensor lp(rows, G4_F32), h(rows, G4_F32), l(rows, G4_F32), alone(rows, G4_F32);
    out.status = g4_logprob(nullptr, lp.data(), h.data(), l.data(), x.data(), targets.data(), rows, vocab, inv);
    if (out.status == G4_OK) out.status = g4_logprob(nullptr, alone.data(), nullptr, nullptr, x.data(), targets.data(), rows, vocab, inv);
    out.add("logprob", lp);
    out.add("entropy", h);
    out.add("lse", l);
    out.add("logprob alone", alone);
    return out;
  }, {{logprob, 5e-5, true}, {entropy, 1e-5, true}, {lse, 1e-6 * largest + 1e-6, true}, {logprob, 5e-5, true}}});

  const Tensor d_logprob(normal(rows), G4_F32), d_entropy(normal(rows), G4_F32);
  const Doubles none(rows, 0.0);
  cases.push_back({logit_title("logprob_backward", rows, vocab), [=] {
    Outputs out;
    const Tensor plain(x), both(x);
    out.status = g4_logprob_backward(nullptr, plain.data(), d_logprob.data(), nullptr, targets.data(), rows, vocab, inv);
    if (out.status == G4_OK) out.status = g4_logprob_backward(nullptr, both.data(), d_logprob.data(), d_entropy.data(), targets.data(), rows, vocab, inv);
    out.add("d logits", plain);
    out.add("d logits with entropy", both);
    return out;
  }, {{in.gradient(d_logprob.get(), none, inv), 1e-6}, {in.gradient(d_logprob.get(), d_entropy.get(), inv), 1e-6}}});

  // The loss sees the statistics of g4_logprob; with LINEAR its gradient is g4_logprob_backward's; rows of weight 0 stay out.
  Doubles weights = d_logprob.get();
  if (rows > 4) weights[4] = 0;
  const Tensor weight(weights, G4_F32);
  cases.push_back({logit_title("linear loss", rows, vocab), [=] {
    const g4_token_loss linear{G4_LOSS_LINEAR, G4_KL_NONE, 0, 0, 0, INFINITY, INFINITY};
    Outputs out;
    const Tensor lp(rows, G4_F32), h(rows, G4_F32), d(rows, G4_F32), g(x), lp2(rows, G4_F32);
    out.status = g4_policy_loss(nullptr, lp.data(), h.data(), d.data(), g.data(), targets.data(), weight.data(), nullptr, nullptr, nullptr, nullptr, nullptr, rows,
                                vocab, inv, &linear);
    if (out.status == G4_OK) out.status = g4_logprob(nullptr, lp2.data(), nullptr, nullptr, x.data(), targets.data(), rows, vocab, inv);
    if (lp.bits() != lp2.bits()) out.status = G4_INTERNAL;
    out.add("logprob", lp);
    out.add("entropy", h);
    out.add("d_logprob", d);
    out.add("d logits", g);
    return out;
  }, {{logprob, 5e-5, true}, {entropy, 1e-5, true}, {weights, 0, true}, {in.gradient(weights, none, inv), 1e-6}}});
}

// The exact KL divergence from other logits, and its gradient.
inline void kl_cases(std::vector<Case>& cases, int64_t rows, int64_t vocab, float inv) {
  const LogitRows in(rows, vocab);
  const Tensor x(in.x, G4_F32);
  // The reference is another set of logits; a row that equals it has divergence 0, a row without a derivative gets none.
  Doubles y = normal(rows * vocab);
  for (int64_t v = 0; v < vocab && rows > 2; v++) y[2 * vocab + v] = in.x[2 * vocab + v];
  const Tensor ref(y, G4_F32);
  y = ref.get();  // rounded
  Doubles d_kl = normal(rows), kl, d_by_kl;
  if (rows > 3) d_kl[3] = 0;
  const Tensor d_of_kl(d_kl, G4_F32);
  d_kl = d_of_kl.get();
  for (int64_t i = 0; i < rows; i++) {
    const RowReference p = softmax_row(&in.x[i * vocab], vocab, 0, inv), r = softmax_row(&y[i * vocab], vocab, 0, inv);
    double divergence = 0;
    const auto difference = [&](int64_t v) { return (in.x[i * vocab + v] - y[i * vocab + v]) * inv - (p.lse - r.lse); };
    for (int64_t v = 0; v < vocab; v++) divergence += p.p[v] > 0 ? p.p[v] * difference(v) : 0;
    kl.push_back(divergence);
    for (int64_t v = 0; v < vocab; v++) d_by_kl.push_back(p.p[v] > 0 ? d_kl[i] * inv * p.p[v] * (difference(v) - divergence) : 0);
  }
  cases.push_back({logit_title("kl", rows, vocab), [=] {
    Outputs out;
    const Tensor value(rows, G4_F32), gradient(ref);
    out.status = g4_kl(nullptr, value.data(), x.data(), ref.data(), rows, vocab, inv);
    if (out.status == G4_OK) out.status = g4_kl_backward(nullptr, gradient.data(), x.data(), d_of_kl.data(), rows, vocab, inv);
    out.add("kl", value);
    out.add("d logits by kl", gradient);
    return out;
  }, {{kl, 2e-5, true}, {d_by_kl, 2e-6}}});
}

// The loss as the header writes it, in double, as a function of the log-prob.
inline double token_loss(double lp, double w, double a, double old, double ref, double low, double high, const g4_token_loss& t) {
  const double r = std::exp(lp - old);
  double objective = std::min(std::min(r, double(t.ratio_cap)) * a, std::min(std::max(r, low), high) * a);
  if (a < 0) objective = std::max(objective, -double(t.dual_clip) * std::fabs(a));
  const double d = ref - lp;
  double kl = t.kl_kind == G4_KL_K1 ? -d : t.kl_kind == G4_KL_K2 ? d * d / 2 : t.kl_kind == G4_KL_K3 ? std::exp(d) - d - 1 : 0;
  if (t.kl_times_ratio) kl *= r;
  return w * (-objective + t.kl_coef * kl);
}

// Every setting of g4_token_loss. d_logprob: central differences of the loss; d logits follows from it. And the CPU's own.
inline void policy_loss_cases(std::vector<Case>& cases, int64_t rows, int64_t vocab) {
  const LogitRows in(rows, vocab);
  const float inv = 1.0f / 0.9f, low_clip = 0.8f, high_clip = 1.28f;
  const Tensor x(in.x, G4_F32), targets(in.targets);
  Doubles lp(rows), old, ref;
  const Doubles shift = normal(rows, 0.6), ref_shift = normal(rows, 0.5);
  for (int64_t i = 0; i < rows; i++) {
    lp[i] = softmax_row(&in.x[i * vocab], vocab, in.targets[i], inv).logprob;
    old.push_back(lp[i] + shift[i]), ref.push_back(lp[i] + (i % 3 == 0 ? ref_shift[i] : 1e-3 * ref_shift[i]));
  }
  const Tensor weight(normal(rows), G4_F32), advantage(normal(rows), G4_F32), old_lp(old, G4_F32), ref_lp(ref, G4_F32);
  const Tensor low(Doubles(rows, low_clip), G4_F32), high(Doubles(rows, high_clip), G4_F32);
  const Doubles w = weight.get(), a = advantage.get(), o = old_lp.get(), f = ref_lp.get();
  for (int kl : {G4_KL_NONE, G4_KL_K1, G4_KL_K2, G4_KL_K3}) {
    for (int times_ratio : {0, 1}) {
      for (const auto& [cap, dual] : {std::pair<float, float>{INFINITY, INFINITY}, {1.1f, 1.5f}}) {
        const g4_token_loss t{G4_LOSS_CLIPPED, kl, times_ratio, 0.3f, 0.07f, cap, dual};
        Doubles d_logprob(rows), d_entropy(rows);
        for (int64_t i = 0; i < rows; i++) {
          const auto loss = [&](double at) { return token_loss(at, w[i], a[i], o[i], f[i], low_clip, high_clip, t); };
          d_logprob[i] = (loss(lp[i] + 1e-6) - loss(lp[i] - 1e-6)) / 2e-6;
          d_entropy[i] = -w[i] * double(t.entropy_coef);
        }
        const std::string name = logit_title("policy loss", rows, vocab) + " kl " + std::to_string(kl) + (times_ratio ? " r" : "") + (std::isinf(cap) ? "" : " capped");
        cases.push_back({name, [=] {
          Outputs out;
          const Tensor lp2(rows, G4_F32), h(rows, G4_F32), d(rows, G4_F32), g(x);
          out.status = g4_policy_loss(nullptr, lp2.data(), h.data(), d.data(), g.data(), targets.data(), weight.data(), advantage.data(), old_lp.data(), ref_lp.data(),
                                      low.data(), high.data(), rows, vocab, inv, &t);
          out.add("d_logprob", d);
          out.add("d logits", g);
          return out;
        }, {{d_logprob, 1e-5}, {in.gradient(d_logprob, d_entropy, inv), 2e-5}}});
        Doubles logits = in.x;
        std::vector<float> xs(logits.begin(), logits.end()), l(rows), h(rows), d(rows);
        const auto floats = [](const Tensor& tensor) { return static_cast<const void*>(tensor.host()); };
        cpu().policy_loss(cpu().stream, l.data(), h.data(), d.data(), xs.data(), in.targets.data(), floats(weight), floats(advantage), floats(old_lp), floats(ref_lp),
                          floats(low), floats(high), rows, vocab, inv, &t);
        Case same = cases.back();
        same.name += " as on the CPU";
        same.expected = {{Doubles(d.begin(), d.end()), 1e-5}, {Doubles(xs.begin(), xs.end()), 1e-5}};
        cases.push_back(same);
      }
    }
  }
  // On policy: r = 1 with its gradient; nothing clips.
  Doubles on_policy(rows);
  for (int64_t i = 0; i < rows; i++) on_policy[i] = -w[i] * a[i];
  cases.push_back({logit_title("on-policy loss", rows, vocab), [=] {
    const g4_token_loss plain{G4_LOSS_CLIPPED, G4_KL_NONE, 0, 0, 0, INFINITY, INFINITY};
    Outputs out;
    const Tensor lp2(rows, G4_F32), h(rows, G4_F32), d(rows, G4_F32), g(x);
    out.status = g4_policy_loss(nullptr, lp2.data(), h.data(), d.data(), g.data(), targets.data(), weight.data(), advantage.data(), nullptr, nullptr, nullptr, nullptr,
                                rows, vocab, inv, &plain);
    out.add("d_logprob", d);
    return out;
  }, {{on_policy, 1e-6}}});
}

inline std::vector<Case> logit_cases() {
  std::vector<Case> cases;
  logprob_cases(cases, 5, 37, 1.0f);
  logprob_cases(cases, 12, 384, 1.0f / 0.7f);
  logprob_cases(cases, 6, 5001, 1.0f);
  policy_loss_cases(cases, emulation::kSanitized ? 5 : 40, 37);
  if (!emulation::kSanitized) {
    logprob_cases(cases, 40, 65, 1.0f / 0.7f);
    policy_loss_cases(cases, 9, 64);
  }
  // Last, since a place that is left out in another kernel is noticed before they are run.
  kl_cases(cases, 5, 37, 1.0f);
  kl_cases(cases, 6, 5001, 1.0f / 0.7f);
  return cases;
}

// Real widths, too slow to be mutated.
inline std::vector<Case> wide_logit_cases() {
  std::vector<Case> cases;
  logprob_cases(cases, 1, 151936, 1.0f);
  kl_cases(cases, 1, 151936, 1.0f);
  return cases;
}

}  // namespace g4::test
