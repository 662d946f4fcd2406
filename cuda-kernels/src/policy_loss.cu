// The policy loss (GRPO and its kin) and its gradient by the logits: one kernel over a chunk of fp32 logits [rows, vocab].
//
// A block has one row. It reads the row once for log-prob and entropy (row_statistics.cuh), every thread works out the token's
// derivative (token_loss.cuh: a few dozen instructions, cheaper than handing a result around), and the second walk overwrites
// the logits with their gradient (logit_gradient.cuh). A row of weight 0 (a prompt token, padding of a chunk) is not read
// again: its gradient is written as zeros.
//
// Bytes per logit: 12 (in, in, out), of which the second read partly hits the second-level cache; 8 for a row of weight 0. At
// 151,936 columns a chunk of 264 rows is 160 MB and one round of an H200; 12 bytes at 4.3 TB/s are 0.45 ms of it. The product
// in front (2 * 264 * 151,936 * 896 FLOP at 780 TFLOP/s) takes 0.09 ms, so for small models this kernel, not the product,
// sets the pace of the head. Nothing is carried between rows and no atomics are used: same row, same bits.
#include "logit_gradient.cuh"
#include "token_loss.cuh"

namespace g4::cuda {

namespace {

struct TokenOutputs {
  float* logprob;
  float* entropy;
  float* d_logprob;
};

template <int V>
__global__ void __launch_bounds__(kRowThreads, kRowBlocks)
    policy_loss_kernel(TokenOutputs out, float* logits, const int32_t* targets, TokenInputs in, int vocab, float inv_temperature, g4_token_loss settings) {
  G4_SHARED(Statistics, warps, kRowWarps);
  const int64_t row = blockIdx.x;
  float* x = logits + row * vocab;
  const int target = targets[row];
  const float weight = in.weight[row], x_target = x[target];  // read before the barrier, overwritten after it
  const RowStatistics s = row_statistics<V>(x, vocab, inv_temperature, warps);
  const float chosen = s.log_probability(x_target);
  const float d_logprob = weight == 0.0f ? 0.0f : logprob_gradient(in, row, chosen, settings);
  if (threadIdx.x == 0) {
    out.logprob[row] = chosen;
    out.entropy[row] = s.entropy;
    out.d_logprob[row] = d_logprob;
  }
  if (weight == 0.0f) {
    write_zeros<V>(x, vocab);
  } else {
    write_gradient<V>(x, vocab, target, s, d_logprob, -weight * settings.entropy_coef);
  }
}

}  // namespace

}  // namespace g4::cuda

using namespace g4::cuda;

int g4_policy_loss(g4_stream stream, g4_ptr logprob, g4_ptr entropy, g4_ptr d_logprob, g4_ptr logits, g4_cptr targets_i32, g4_cptr weight, g4_cptr advantage, g4_cptr old_logprob, g4_cptr ref_logprob, g4_cptr clip_low, g4_cptr clip_high, int64_t rows, int64_t vocab, float inv_temperature, const g4_token_loss* settings) {
  if (rows == 0) return G4_OK;
  const TokenOutputs out{static_cast<float*>(logprob), static_cast<float*>(entropy), static_cast<float*>(d_logprob)};
  const TokenInputs in{static_cast<const float*>(weight), static_cast<const float*>(advantage), static_cast<const float*>(old_logprob),
                       static_cast<const float*>(ref_logprob), static_cast<const float*>(clip_low), static_cast<const float*>(clip_high)};
  return with_vector<float>(vocab, [&](auto vector) {
    launch(policy_loss_kernel<decltype(vector)::value>, dim3(unsigned(rows)), dim3(kRowThreads), 0, stream, out, static_cast<float*>(logits),
           static_cast<const int32_t*>(targets_i32), in, int(vocab), inv_temperature, *settings);
    return status();
  });
}
