// The policy loss of one token as a function of its log-prob: what it is and its derivative.
//
//   r = e^(new - old)                        (old absent: r = 1, its gradient kept)
//   objective = min(min(r, ratio_cap) A, clip(r, low, high) A), for A < 0 not below -dual_clip |A|   (Schulman et al. 2017;
//               two-sided cap: INTELLECT-2 2505.07291; dual clip: Ye et al. 2019, 1912.09729)
//   kl: with d = ref - new, k1 = -d, k2 = d^2 / 2, k3 = e^d - d - 1 (Schulman 2020); optionally times r, gradient through both
//   loss = weight (-objective + kl_coef kl - entropy_coef H)
//
// Differences of log-probs are clamped to +-20 so that one broken token cannot turn a step into infinities; outside, the
// clamped function is flat and its derivative is 0.
#pragma once

#include "device.cuh"

namespace g4::cuda {

constexpr float kLargestLogRatio = 20.0f;

// A value and its derivative by the token's log-prob.
struct Differentiable {
  float value;
  float slope;
};

// clamp(difference), of which the derivative is `sign`.
__device__ __forceinline__ Differentiable clamped_difference(float difference, float sign) {
  if (difference > kLargestLogRatio) return {kLargestLogRatio, 0.0f};
  if (difference < -kLargestLogRatio) return {-kLargestLogRatio, 0.0f};
  return {difference, sign};
}

__device__ __forceinline__ Differentiable clipped_objective(Differentiable ratio, float advantage, float low, float high, const g4_token_loss& settings) {
  const Differentiable plain{ratio.value * advantage, ratio.slope * advantage};
  const Differentiable unclipped = ratio.value > settings.ratio_cap ? Differentiable{settings.ratio_cap * advantage, 0.0f} : plain;
  Differentiable clipped = plain;
  if (ratio.value < low) clipped = {low * advantage, 0.0f};
  if (ratio.value > high) clipped = {high * advantage, 0.0f};
  const Differentiable objective = unclipped.value <= clipped.value ? unclipped : clipped;
  if (advantage < 0.0f && objective.value < settings.dual_clip * advantage) return {settings.dual_clip * advantage, 0.0f};
  return objective;
}

// e^d - d - 1; by its series where the difference would lose its digits (d^9 / 9! is below an ulp there).
__device__ __forceinline__ float exp_beyond_line(float d) {
  if (fabsf(d) > 0.5f) return expm1f(d) - d;
  float p = 1.0f / 40320.0f;
  p = fmaf(p, d, 1.0f / 5040.0f);
  p = fmaf(p, d, 1.0f / 720.0f);
  p = fmaf(p, d, 1.0f / 120.0f);
  p = fmaf(p, d, 1.0f / 24.0f);
  p = fmaf(p, d, 1.0f / 6.0f);
  p = fmaf(p, d, 0.5f);
  return p * d * d;
}

__device__ __forceinline__ Differentiable kl_estimate(int kind, float new_logprob, float ref_logprob) {
  const Differentiable d = clamped_difference(ref_logprob - new_logprob, -1.0f);
  if (kind == G4_KL_K1) return {-d.value, -d.slope};
  if (kind == G4_KL_K2) return {0.5f * d.value * d.value, d.value * d.slope};
  if (kind == G4_KL_K3) return {exp_beyond_line(d.value), expm1f(d.value) * d.slope};
  return {0.0f, 0.0f};
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

// d loss / d logprob of a row, given its log-prob.
__device__ __forceinline__ float logprob_gradient(const TokenInputs& in, int64_t row, float new_logprob, const g4_token_loss& settings) {
  const float weight = in.weight[row];
  if (settings.kind == G4_LOSS_LINEAR) return weight;
  Differentiable ratio{1.0f, 1.0f};
  if (in.old_logprob != nullptr) {
    const Differentiable d = clamped_difference(new_logprob - in.old_logprob[row], 1.0f);
    ratio.value = expf(d.value);
    ratio.slope = ratio.value * d.slope;
  }
  const float low = in.clip_low != nullptr ? in.clip_low[row] : __uint_as_float(0xff800000u);
  const float high = in.clip_high != nullptr ? in.clip_high[row] : __uint_as_float(0x7f800000u);
  float gradient = -clipped_objective(ratio, in.advantage[row], low, high, settings).slope;
  if (settings.kl_kind != G4_KL_NONE && in.ref_logprob != nullptr) {
    Differentiable kl = kl_estimate(settings.kl_kind, new_logprob, in.ref_logprob[row]);
    if (settings.kl_times_ratio != 0) kl = {kl.value * ratio.value, kl.slope * ratio.value + kl.value * ratio.slope};
    gradient += settings.kl_coef * kl.slope;
  }
  return weight * gradient;
}

}  // namespace g4::cuda
