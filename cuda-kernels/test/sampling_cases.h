// Sampling and its filters: the CPU kernels' tokens for the same random numbers, distributions by a full sort in double.
#pragma once

#include <algorithm>
#include <numeric>
#include <set>

#include "case_test.h"
#include "cpu_library.h"

namespace g4::test {

inline g4_sampling sampling(float temperature, int top_k = 0, float top_p = 1, float min_p = 0, float penalty = 1, int used = 0) {
  return {temperature, top_k, top_p, min_p, penalty, used, 0x123456789abcdefull};
}

struct NamedSampling {
  std::string name;
  g4_sampling s;
};

inline std::vector<NamedSampling> all_samplings() {
  return {{"plain", sampling(1)}, {"T0.7", sampling(0.7f)}, {"k10", sampling(1, 10)}, {"k1", sampling(1, 1)}, {"k all", sampling(1, 100000)}, {"k600", sampling(1, 600)},
          {"p.9", sampling(1, 0, 0.9f)}, {"p.5", sampling(1, 0, 0.5f)}, {"p tiny", sampling(1, 0, 1e-6f)}, {"p .9999", sampling(1.3f, 0, 0.9999f)},
          {"min .05", sampling(1, 0, 1, 0.05f)}, {"rep", sampling(1, 0, 1, 0, 1.3f)}, {"rep .8", sampling(1, 0, 1, 0, 0.8f)},
          {"all", sampling(0.8f, 50, 0.92f, 0.05f, 1.1f)}, {"used", sampling(1, 40, 0.95f, 0, 1, 300)}, {"used plain", sampling(1, 0, 1, 0, 1.2f, 300)},
          {"used p", sampling(1, 0, 0.9f, 0, 1, 301)}, {"greedy", sampling(0)}, {"greedy rep", sampling(0, 0, 1, 0, 1.3f, 300)}};
}

// The filters by a full sort, in double.
inline Doubles filtered(Doubles x, const Ints& history, const g4_sampling& s) {
  const size_t used = s.vocab_used > 0 ? size_t(s.vocab_used) : x.size();
  for (int32_t id : std::set<int32_t>(history.begin(), history.end()))
    if (s.repetition_penalty != 1 && size_t(id) < used) x[id] = float(x[id] < 0 ? float(x[id]) * s.repetition_penalty : float(x[id]) / s.repetition_penalty);
  std::vector<int> order(used);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int a, int b) { return x[a] < x[b] || (x[a] == x[b] && a < b); });
  const double top = x[order.back()];
  Doubles p(x.size());
  if (!(s.temperature > 0)) {
    p[size_t(std::find(x.begin(), x.end(), top) - x.begin())] = 1;
    return p;
  }
  for (size_t v = 0; v < used; v++) p[v] = std::exp((x[v] - top) / s.temperature);
  if (s.top_k > 0 && size_t(s.top_k) < used) {
    const double cut = x[order[used - s.top_k]];
    for (size_t v = 0; v < used; v++) if (x[v] < cut) p[v] = 0;
  }
  if (s.top_p < 1) {
    const double total = std::accumulate(p.begin(), p.end(), 0.0);
    double mass = 0;
    for (size_t i = 0; i + 1 < used; i++) {
      mass += p[order[i]];
      if (mass <= (1 - double(s.top_p)) * total) p[order[i]] = 0;
    }
  }
  if (s.min_p > 0)
    for (double& e : p) if (e < double(s.min_p)) e = 0;
  const double total = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& e : p) e /= total;
  return p;
}

// Rows that differ in kind, and what each has said before.
struct SamplingRows {
  int64_t rows = 6, vocab;
  Doubles x;
  Ints history, starts{0};

  explicit SamplingRows(int64_t v) : vocab(v), x(normal(6 * v, 2.5)) {
    for (int64_t j = 0; j < v; j++) x[v + j] *= 8, x[2 * v + j] = 1.5;   // peaked; all equal
    x[3 * v + 7] = x[3 * v + 200] = x[3 * v + 100];                      // ties
    for (int64_t j = 100; j < v; j += 2) x[4 * v + j] = -INFINITY;
    for (int64_t j = 0; j < v; j++) x[5 * v + j] = std::round(x[5 * v + j]);  // ties everywhere
    for (double& e : x) e = float(e);
    for (int64_t i = 0; i < rows; i++) {
      for (int j = 0; j < 24; j++) history.push_back(int32_t(j * (i + 3) * 5 % 290));
      for (int j = 0; j < 40; j++) history.push_back(int32_t((j * 12347 + i) % v));
      starts.push_back(int32_t(history.size()));
    }
  }
};

inline void filter_cases(std::vector<Case>& cases, int64_t vocab, const NamedSampling& t) {
  const SamplingRows in(vocab);
  const int64_t rows = in.rows;
  const Tensor x(in.x, G4_F32), history(in.history), starts(in.starts);
  Doubles expected;
  for (int64_t i = 0; i < rows; i++) {
    const Doubles p = filtered(Doubles(in.x.begin() + i * vocab, in.x.begin() + (i + 1) * vocab), Ints(in.history.begin() + in.starts[i], in.history.begin() + in.starts[i + 1]), t.s);
    expected.insert(expected.end(), p.begin(), p.end());
  }
  Doubles kept;
  for (double p : expected) kept.push_back(p > 1e-12 ? 1 : 0);
  const std::string title = " " + t.name + " vocab " + std::to_string(vocab);
  cases.push_back({"filtered_probs" + title, [=] {
    Outputs out;
    const Tensor logits(x), probs(rows * vocab, G4_F32);
    out.status = g4_filtered_probs(nullptr, probs.data(), logits.data(), history.data(), starts.data(), rows, vocab, &t.s);
    out.add("probs", probs);
    Doubles set;
    for (double p : probs.get()) set.push_back(p > 1e-12 ? 1 : 0);
    out.all.push_back({"kept set", "", set});
    return out;
  }, {{expected, 1e-6, true}, {kept, 0, true}}});

  // The CPU's tokens, and the log-prob and entropy of g4_logprob for them, to the bit.
  std::vector<uint32_t> counters(rows * 4);
  for (int64_t i = 0; i < rows; i++) counters[i * 4] = 5, counters[i * 4 + 3] = uint32_t(i * 31 + vocab);
  Ints as_ints(counters.begin(), counters.end()), tokens(rows);
  const Tensor counter(as_ints);
  std::vector<float> floats(in.x.begin(), in.x.end()), lp(rows), h(rows);
  cpu().sample(cpu().stream, tokens.data(), lp.data(), h.data(), floats.data(), counters.data(), in.history.data(), in.starts.data(), rows, vocab, &t.s);
  const float inv = t.s.temperature > 0 ? 1.0f / t.s.temperature : 1.0f;
  cases.push_back({"sample" + title, [=] {
    Outputs out;
    const Tensor logits(x), token(Ints(rows, -1)), logprob(rows, G4_F32), entropy(rows, G4_F32), logprob2(rows, G4_F32), entropy2(rows, G4_F32);
    out.status = g4_sample(nullptr, token.data(), logprob.data(), entropy.data(), logits.data(), counter.data(), history.data(), starts.data(), rows, vocab, &t.s);
    if (out.status == G4_OK) out.status = g4_logprob(nullptr, logprob2.data(), entropy2.data(), nullptr, x.data(), token.data(), rows, vocab, inv);
    if (logprob.bits() != logprob2.bits() || entropy.bits() != entropy2.bits()) out.status = G4_INTERNAL;
    out.add("token", token);
    out.add("logprob", logprob);
    out.add("entropy", entropy);
    return out;
  }, {{Doubles(tokens.begin(), tokens.end()), 0, true}, {Doubles(lp.begin(), lp.end()), 5e-5, true}, {Doubles(h.begin(), h.end()), 1e-5, true}}});
}

// Many draws of one distribution: the CPU's, number by number.
inline void draw_cases(std::vector<Case>& cases, int64_t rows, int64_t vocab, const NamedSampling& t) {
  Doubles row = normal(vocab, 1);
  for (int i = 0; i < 12; i++) row[i * (vocab / 13)] = 9 + 0.1 * i;
  Doubles all;
  for (int64_t i = 0; i < rows; i++) all.insert(all.end(), row.begin(), row.end());
  const Tensor x(all, G4_F32);
  std::vector<float> floats(all.begin(), all.end());
  std::vector<uint32_t> counters(rows * 4);
  for (int64_t i = 0; i < rows; i++) counters[i * 4 + 3] = uint32_t(i), counters[i * 4] = 5;
  Ints tokens(rows);
  cpu().sample(cpu().stream, tokens.data(), nullptr, nullptr, floats.data(), counters.data(), nullptr, nullptr, rows, vocab, &t.s);
  const Tensor counter(Ints(counters.begin(), counters.end()));
  cases.push_back({"draws " + t.name + " vocab " + std::to_string(vocab), [=] {
    Outputs out;
    const Tensor token(Ints(rows, -1));
    out.status = g4_sample(nullptr, token.data(), nullptr, nullptr, x.data(), counter.data(), nullptr, nullptr, rows, vocab, &t.s);
    out.add("token", token);
    return out;
  }, {{Doubles(tokens.begin(), tokens.end()), 0, true}}});
}

// Rows that are broken: the CPU's token, and in any case one that exists.
inline void broken_cases(std::vector<Case>& cases) {
  const int64_t vocab = 3000;
  for (const NamedSampling& t : {NamedSampling{"plain", sampling(1)}, {"k20", sampling(1, 20)}, {"p.9", sampling(1, 0, 0.9f)}, {"min", sampling(1, 0, 1, 0.1f)}, {"greedy", sampling(0)}}) {
    Doubles x;
    for (double bad : {std::nan(""), double(INFINITY), -double(INFINITY)}) {
      Doubles all(vocab, bad), some = normal(vocab);
      some[17] = bad;
      x.insert(x.end(), all.begin(), all.end());
      x.insert(x.end(), some.begin(), some.end());
    }
    const int64_t rows = 6;
    const Tensor logits(x, G4_F32), counter(Ints{1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3, 6, 1, 2, 3, 7, 1, 2, 3, 8, 1, 2, 3, 9});
    std::vector<float> floats(x.begin(), x.end());
    Ints tokens(rows);
    cpu().sample(cpu().stream, tokens.data(), nullptr, nullptr, floats.data(), static_cast<uint32_t*>(counter.host()), nullptr, nullptr, rows, vocab, &t.s);
    cases.push_back({"broken rows " + t.name, [=] {
      Outputs out;
      const Tensor token(Ints(rows, -1));
      out.status = g4_sample(nullptr, token.data(), nullptr, nullptr, logits.data(), counter.data(), nullptr, nullptr, rows, vocab, &t.s);
      out.add("token", token);
      return out;
    }, {{Doubles(tokens.begin(), tokens.end()), 0, true}}});
  }
}

// What the mutations run against, until a case notices: every filter once, a list that overflows, both widths of vectors.
inline std::vector<Case> short_sampling_cases() {
  std::vector<Case> cases;
  filter_cases(cases, 387, {"all", sampling(0.8f, 50, 0.92f, 0.05f, 1.1f)});
  filter_cases(cases, 387, {"greedy rep", sampling(0, 0, 1, 0, 1.3f, 300)});
  filter_cases(cases, 5000, {"plain", sampling(1, 0, 1, 0, 1.3f)});
  filter_cases(cases, 5000, {"used p", sampling(1, 0, 0.9f, 0, 1, 301)});
  filter_cases(cases, 5000, {"p .9999", sampling(1.3f, 0, 0.9999f)});
  return cases;
}

inline std::vector<Case> sampling_cases() {
  std::vector<Case> cases;
  for (const NamedSampling& t : all_samplings()) filter_cases(cases, 387, t);
  for (const NamedSampling& t : all_samplings()) filter_cases(cases, 5000, t);
  broken_cases(cases);
  draw_cases(cases, 100, 2500, {"plain", sampling(1.1f)});
  draw_cases(cases, 100, 2500, {"used", sampling(1.1f, 0, 1, 0, 1, 2300)});
  draw_cases(cases, 30, 2500, {"filtered", sampling(0.9f, 40, 0.9f, 0.01f)});
  return cases;
}

inline std::vector<Case> wide_sampling_cases() {
  std::vector<Case> cases;
  draw_cases(cases, 2, 151936, {"plain", sampling(1, 0, 1, 0, 1, 151665)});
  draw_cases(cases, 1, 151936, {"filtered", sampling(0.8f, 50, 0.92f, 0.05f, 1, 151665)});
  draw_cases(cases, 1, 151936, {"p.9", sampling(1, 0, 0.9f, 0, 1, 151665)});
  return cases;
}

}  // namespace g4::test
