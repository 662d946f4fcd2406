// Philox against its published vectors, filters against a sort in double, draws against their distribution.
#define G4_ISA baseline
#include "simd/baseline.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "kernels/philox.h"
#include "reference.h"

using namespace reference;

namespace {

void test_philox() {
  using g4::baseline::philox4x32;
  const auto is = [](g4::baseline::PhiloxWords out, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    return out.w[0] == a && out.w[1] == b && out.w[2] == c && out.w[3] == d;
  };
  // kat_vectors of Random123.
  check(is(philox4x32({{0, 0, 0, 0}}, 0, 0), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8), "philox of zeros");
  check(is(philox4x32({{~0u, ~0u, ~0u, ~0u}}, ~0u, ~0u), 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd), "philox of ones");
  check(is(philox4x32({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0), 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1), "philox of pi");
}

struct Settings {
  std::string name;
  g4_sampling s;
};

g4_sampling sampling(float temperature, int top_k = 0, float top_p = 1, float min_p = 0, float penalty = 1, int used = 0) {
  return {temperature, top_k, top_p, min_p, penalty, used, 0x123456789abcdefull};
}

// The filters by a full sort, in double.
Doubles filtered(Doubles x, const Ints& history, const g4_sampling& s) {
  const size_t used = s.vocab_used > 0 ? size_t(s.vocab_used) : x.size();
  for (int32_t id : std::set<int32_t>(history.begin(), history.end()))
    if (s.repetition_penalty != 1) x[id] = float(x[id] < 0 ? float(x[id]) * s.repetition_penalty : float(x[id]) / s.repetition_penalty);
  std::vector<int> order(used);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int a, int b) { return x[a] < x[b] || (x[a] == x[b] && a < b); });
  const double top = x[order.back()];
  Doubles p(x.size());
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

void test_filters(g4_stream s, const std::string& name) {
  const std::vector<Settings> all = {
      {"plain", sampling(1)}, {"T0.7", sampling(0.7f)}, {"k10", sampling(1, 10)}, {"k1", sampling(1, 1)}, {"k all", sampling(1, 100000)}, {"p.9", sampling(1, 0, 0.9f)},
      {"p.5", sampling(1, 0, 0.5f)}, {"p tiny", sampling(1, 0, 1e-6f)}, {"p .9999", sampling(1.3f, 0, 0.9999f)}, {"min .05", sampling(1, 0, 1, 0.05f)},
      {"rep", sampling(1, 0, 1, 0, 1.3f)}, {"rep .8", sampling(1, 0, 1, 0, 0.8f)}, {"all", sampling(0.8f, 50, 0.92f, 0.05f, 1.1f)}, {"used", sampling(1, 40, 0.95f, 0, 1, 300)},
      {"used plain", sampling(1, 0, 1, 0, 1.2f, 300)}};
  for (int64_t vocab : {384, 5000}) {
    const int64_t rows = 6;
    Doubles x = normal(rows * vocab, 2.5);
    for (int64_t v = 0; v < vocab; v++) x[vocab + v] *= 8, x[2 * vocab + v] = 1.5;  // peaked; all equal
    for (double& e : x) e = float(e);
    x[3 * vocab + 7] = x[3 * vocab + 200] = x[3 * vocab + 100];                     // ties
    for (int64_t v = 100; v < vocab; v += 2) x[4 * vocab + v] = -INFINITY;
    Ints history, starts{0};
    for (int64_t i = 0; i < rows; i++) {
      for (int j = 0; j < 24; j++) history.push_back(int32_t(j * (i + 3) * 5 % 290));
      starts.push_back(int32_t(history.size()));
    }
    for (const Settings& t : all) {
      const std::string what = name + " filter " + t.name + " vocab " + std::to_string(vocab);
      Tensor logits(x), probs(rows * vocab);
      check(g4_filtered_probs(s, probs.data(), logits.data(), history.data(), starts.data(), rows, vocab, &t.s) == G4_OK, what);
      Doubles expected;
      for (int64_t i = 0; i < rows; i++) {
        const Doubles p = filtered(Doubles(x.begin() + i * vocab, x.begin() + (i + 1) * vocab), Ints(history.begin() + starts[i], history.begin() + starts[i + 1]), t.s);
        for (int64_t v = 0; v < vocab; v++) {
          const double got = probs.floats()[i * vocab + v];
          check((p[v] > 1e-30) == (got > 1e-30), what + ": kept set of row " + std::to_string(i) + ", id " + std::to_string(v));
          close(got, p[v], 1e-6, what);
        }
      }
    }
  }
}

void test_draws(g4_stream s, const std::string& name) {
  // Many draws of one distribution: chi-square of the counts over kept tokens.
  const int64_t rows = 2000, vocab = 2500;
  Doubles row = normal(vocab, 1);
  for (int i = 0; i < 12; i++) row[i * 200] = 9 + 0.1 * i;
  for (const Settings& t : {Settings{"plain", sampling(1.1f)}, {"used", sampling(1.1f, 0, 1, 0, 1, 2300)}, {"filtered", sampling(0.9f, 40, 0.9f, 0.01f)}}) {
    Doubles x;
    for (int64_t i = 0; i < rows; i++) x.insert(x.end(), row.begin(), row.end());
    Tensor logits(x);
    const Tensor original(logits);
    std::vector<uint32_t> counters(rows * 4);
    for (int64_t i = 0; i < rows; i++) counters[i * 4 + 3] = uint32_t(i), counters[i * 4] = 5;
    Ints tokens(rows), again(rows);
    const Tensor lp(rows), h(rows), lp2(rows), h2(rows);
    check(g4_sample(s, tokens.data(), lp.data(), h.data(), logits.data(), counters.data(), nullptr, nullptr, rows, vocab, &t.s) == G4_OK, "sample");
    g4_logprob(s, lp2.data(), h2.data(), nullptr, original.data(), tokens.data(), rows, vocab, 1.0f / t.s.temperature);
    check(lp.same_bits(lp2) && h.same_bits(h2), name + " " + t.name + ": sampling and g4_logprob disagree");
    Doubles floats(vocab);
    for (int64_t v = 0; v < vocab; v++) floats[v] = original.floats()[v];
    const Doubles p = filtered(floats, {}, t.s);
    Doubles counts(vocab);
    for (int32_t token : tokens) counts[token]++;
    double chi = 0, rest_p = 0, rest = 0;
    int cells = 0;
    for (int64_t v = 0; v < vocab; v++) {
      check(p[v] > 0 || counts[v] == 0, name + " " + t.name + ": drew a token that is filtered out");
      if (p[v] * rows < 20) { rest_p += p[v], rest += counts[v]; continue; }
      chi += std::pow(counts[v] - p[v] * rows, 2) / (p[v] * rows);
      cells++;
    }
    if (rest_p * rows > 5) chi += std::pow(rest - rest_p * rows, 2) / (rest_p * rows);
    check(cells > 5 && chi < cells + 5 * std::sqrt(2.0 * cells), name + " " + t.name + ": chi-square " + std::to_string(chi) + " over " + std::to_string(cells));
    // One row alone draws what it drew in the batch.
    for (int64_t i : {0, 17, 1999}) {
      const Tensor one(floats);
      Ints token(1);
      g4_sample(s, token.data(), nullptr, nullptr, one.data(), &counters[i * 4], nullptr, nullptr, 1, vocab, &t.s);
      check(token[0] == tokens[i], name + " " + t.name + ": a row alone draws another token");
    }
  }
}

void test_edges(g4_stream s, const std::string& name) {
  const int64_t vocab = 151936;
  Doubles row = normal(vocab, 1);
  row[70000] = row[90000] = 20;
  const uint32_t counter[4] = {1, 2, 3, 4};
  const auto draw = [&](const Doubles& x, const g4_sampling& t, const Ints& history = {}) {
    Tensor logits(x);
    Ints token(1), start{0, int32_t(history.size())};
    check(g4_sample(s, token.data(), nullptr, nullptr, logits.data(), counter, history.empty() ? nullptr : history.data(), start.data(), 1, int64_t(x.size()), &t) == G4_OK, "sample");
    return token[0];
  };
  check(draw(row, sampling(0)) == 70000, name + " greedy: lowest id of equal maxima");
  check(draw(row, sampling(0, 0, 1, 0, 1, 60000)) < 60000, name + " greedy: padding rows of the head");
  check(draw(row, sampling(0, 0, 1, 0, 2), {70000}) == 90000, name + " greedy after a penalty");
  for (const g4_sampling& t : {sampling(1), sampling(1, 20), sampling(1, 0, 0.9f), sampling(1, 0, 1, 0.1f), sampling(0)}) {
    for (double bad : {std::nan(""), double(INFINITY), -double(INFINITY)}) {
      Doubles all(3000, bad), some(normal(3000));
      some[17] = bad;
      for (const Doubles& x : {all, some}) {
        const int32_t token = draw(x, t);
        check(token >= 0 && token < 3000, name + " token out of range");
      }
    }
  }
  // The penalised token's log-prob is that of the row as it came.
  Tensor logits(row), before(logits), lp(1), h(1), lp2(1);
  Ints token(1), history{70000, 70000, 90000}, start{0, 3};
  const g4_sampling t = sampling(0.8f, 0, 1, 0, 1.05f);
  g4_sample(s, token.data(), lp.data(), h.data(), logits.data(), counter, history.data(), start.data(), 1, vocab, &t);
  g4_logprob(s, lp2.data(), nullptr, nullptr, before.data(), token.data(), 1, vocab, 1.0f / 0.8f);
  check((token[0] == 70000 || token[0] == 90000) && lp.same_bits(lp2), name + " log-prob before the penalty");
}

}  // namespace

int main() {
  test_philox();
  on_every_stream([](g4_stream s, const std::string& name) {
    test_filters(s, name);
    test_draws(s, name);
    test_edges(s, name);
  });
  return finish("sampling");
}
