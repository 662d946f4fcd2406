// The policy loss of one token and its gradient with respect to the logits, in one pass over [rows, vocab].
//
//   r = e^(new - old)                        (old absent: r = 1, its gradient kept)
//   objective = min(min(r, ratio_cap) A, clip(r, low, high) A), for A < 0 not below -dual_clip |A|   (Schulman et al. 2017;
//               two-sided cap: INTELLECT-2 2505.07291; dual clip: Ye et al. 2019, 1912.09729)
//   kl: with d = ref - new, k1 = -d, k2 = d^2 / 2, k3 = e^d - d - 1 (Schulman 2020); optionally times r, gradient through both
//   loss = weight (-objective + kl_coef kl - entropy_coef H)
//
// Differences of log-probs are clamped to +-20 so that one broken token cannot turn a step into infinities; outside, the
// clamped function is flat and its derivative is 0. A row is read for its statistics and, while it is still in the cache,
// overwritten by its gradient (logprob.h).
#pragma once

#include "kernels/logprob.h"

namespace g4::G4_ISA {

constexpr double kLargestLogRatio = 20.0;

// A value and its derivative by the token's log-prob.
struct Differentiable {
  double value;
  double slope;
};

// clamp(sign (new - other)) as a function of new.
inline Differentiable clamped_difference(double difference, double sign) {
  if (difference > kLargestLogRatio) return {kLargestLogRatio, 0.0};
  if (difference < -kLargestLogRatio) return {-kLargestLogRatio, 0.0};
  return {difference, sign};
}

inline Differentiable clipped_objective(Differentiable ratio, double advantage, double low, double high, const g4_token_loss& settings) {
  const double cap = settings.ratio_cap;
  const Differentiable unclipped = ratio.value > cap ? Differentiable{cap * advantage, 0.0} : Differentiable{ratio.value * advantage, ratio.slope * advantage};
  Differentiable clipped{ratio.value * advantage, ratio.slope * advantage};
  if (ratio.value < low) clipped = {low * advantage, 0.0};
  if (ratio.value > high) clipped = {high * advantage, 0.0};
  const Differentiable objective = unclipped.value <= clipped.value ? unclipped : clipped;
  if (advantage < 0 && objective.value < double(settings.dual_clip) * advantage) return {double(settings.dual_clip) * advantage, 0.0};
  return objective;
}

inline Differentiable kl_estimate(int kind, double new_logprob, double ref_logprob) {
  const Differentiable d = clamped_difference(ref_logprob - new_logprob, -1.0);
  switch (kind) {
    case G4_KL_K1: return {-d.value, -d.slope};
    case G4_KL_K2: return {0.5 * d.value * d.value, d.value * d.slope};
    case G4_KL_K3: return {std::expm1(d.value) - d.value, std::expm1(d.value) * d.slope};
    default: return {0.0, 0.0};
  }
}

// The per-row inputs of g4_policy_loss; pointers may be null as its description says.
struct TokenInputs {
  const float* weight;
  const float* advantage;
  const float* old_logprob;
  const float* ref_logprob;
  const float* clip_low;
  const float* clip_high;
};

// d loss / d logprob of row i, given its log-prob.
inline double logprob_gradient(const TokenInputs& in, int64_t i, double new_logprob, const g4_token_loss& settings) {
  const double weight = in.weight[i];
  if (settings.kind == G4_LOSS_LINEAR) return weight;
  Differentiable ratio{1.0, 1.0};
  if (in.old_logprob != nullptr) {
    const Differentiable d = clamped_difference(new_logprob - double(in.old_logprob[i]), 1.0);
    ratio.value = std::exp(d.value);
    ratio.slope = ratio.value * d.slope;
  }
  const double infinity = std::numeric_limits<double>::infinity();
  const double low = in.clip_low != nullptr ? double(in.clip_low[i]) : -infinity;
  const double high = in.clip_high != nullptr ? double(in.clip_high[i]) : infinity;
  double gradient = -clipped_objective(ratio, in.advantage[i], low, high, settings).slope;
  if (settings.kl_kind != G4_KL_NONE && in.ref_logprob != nullptr) {
    Differentiable kl = kl_estimate(settings.kl_kind, new_logprob, in.ref_logprob[i]);
    if (settings.kl_times_ratio != 0) kl = {kl.value * ratio.value, kl.slope * ratio.value + kl.value * ratio.slope};
    gradient += double(settings.kl_coef) * kl.slope;
  }
  return weight * gradient;
}

inline int policy_loss(g4_stream handle, g4_ptr logprob, g4_ptr entropy, g4_ptr d_logprob, g4_ptr logits, g4_cptr targets_i32, g4_cptr weight, g4_cptr advantage, g4_cptr old_logprob, g4_cptr ref_logprob, g4_cptr clip_low, g4_cptr clip_high, int64_t rows, int64_t vocab, float inv_temperature, const g4_token_loss* settings) {
  float* x = static_cast<float*>(logits);
  const int32_t* targets = static_cast<const int32_t*>(targets_i32);
  const TokenInputs in{static_cast<const float*>(weight), static_cast<const float*>(advantage), static_cast<const float*>(old_logprob),
                       static_cast<const float*>(ref_logprob), static_cast<const float*>(clip_low), static_cast<const float*>(clip_high)};
  return for_row_statistics(stream_of(handle), x, rows, vocab, inv_temperature, 0.5, [&](int64_t i, const ChunkStatistics* chunks, int) {
    const RowStatistics row = combine(chunks, chunks_of(vocab), inv_temperature);
    float* columns = x + i * vocab;
    // Rounded before the ratio is taken: a token scored twice with the same bits has the ratio 1 exactly.
    const float chosen = float(row.log_probability(columns[targets[i]], inv_temperature));
    static_cast<float*>(logprob)[i] = chosen;
    static_cast<float*>(entropy)[i] = float(row.entropy);
    if (in.weight[i] == 0.0f) {
      static_cast<float*>(d_logprob)[i] = 0.0f;
      std::fill(columns, columns + vocab, 0.0f);
      return;
    }
    const double d_log = logprob_gradient(in, i, chosen, *settings);
    static_cast<float*>(d_logprob)[i] = float(d_log);
    const double d_entropy = -double(in.weight[i]) * double(settings->entropy_coef);
    gradient_row(columns, vocab, targets[i], inv_temperature, row, d_log, d_entropy);
  });
}

}  // namespace g4::G4_ISA
