// Log-probability, entropy and log-sum-exp of rows of logits, and their gradient (row_statistics.cuh, logit_gradient.cuh).
//
// logits f32 [rows, vocab], one block a row. Bytes per logit: forward 4; backward 12, or 8 for the part of a row that the
// second-level cache still holds when the gradient is written (264 rows of 608 KB are in work, 50 MB are there).
#include "logit_gradient.cuh"

namespace g4::cuda {

namespace {

template <int V>
__global__ void __launch_bounds__(kRowThreads, kRowBlocks)
    logprob_kernel(float* logprob, float* entropy, float* lse, const float* logits, const int32_t* targets, int vocab, float inv_temperature) {
  G4_SHARED(Statistics, warps, kRowWarps);
  const int64_t row = blockIdx.x;
  const float* x = logits + row * vocab;
  const RowStatistics s = row_statistics<V>(x, vocab, inv_temperature, warps);
  if (threadIdx.x != 0) return;
  if (logprob != nullptr) logprob[row] = s.log_probability(x[targets[row]]);
  if (entropy != nullptr) entropy[row] = s.entropy;
  if (lse != nullptr) lse[row] = s.lse();
}

template <int V>
__global__ void __launch_bounds__(kRowThreads, kRowBlocks)
    logprob_backward_kernel(float* logits, const float* d_logprob, const float* d_entropy, const int32_t* targets, int vocab, float inv_temperature) {
  G4_SHARED(Statistics, warps, kRowWarps);
  const int64_t row = blockIdx.x;
  float* x = logits + row * vocab;
  const RowStatistics s = row_statistics<V>(x, vocab, inv_temperature, warps);
  write_gradient<V>(x, vocab, targets[row], s, d_logprob[row], d_entropy != nullptr ? d_entropy[row] : 0.0f);
}

}  // namespace

}  // namespace g4::cuda

using namespace g4::cuda;

int g4_logprob(g4_stream stream, g4_ptr logprob, g4_ptr entropy, g4_ptr lse, g4_cptr logits, g4_cptr targets_i32, int64_t rows, int64_t vocab, float inv_temperature) {
  if (rows == 0) return G4_OK;
  return with_vector<float>(vocab, [&](auto vector) {
    launch(logprob_kernel<decltype(vector)::value>, dim3(unsigned(rows)), dim3(kRowThreads), 0, stream, static_cast<float*>(logprob), static_cast<float*>(entropy),
           static_cast<float*>(lse), static_cast<const float*>(logits), static_cast<const int32_t*>(targets_i32), int(vocab), inv_temperature);
    return status();
  });
}

int g4_logprob_backward(g4_stream stream, g4_ptr logits, g4_cptr d_logprob, g4_cptr d_entropy, g4_cptr targets_i32, int64_t rows, int64_t vocab, float inv_temperature) {
  if (rows == 0) return G4_OK;
  return with_vector<float>(vocab, [&](auto vector) {
    launch(logprob_backward_kernel<decltype(vector)::value>, dim3(unsigned(rows)), dim3(kRowThreads), 0, stream, static_cast<float*>(logits),
           static_cast<const float*>(d_logprob), static_cast<const float*>(d_entropy), static_cast<const int32_t*>(targets_i32), int(vocab), inv_temperature);
    return status();
  });
}
