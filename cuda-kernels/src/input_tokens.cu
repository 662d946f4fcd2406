// The tokens that a step of generation reads, taken from where the step before left what it drew, so that the host may queue a
// step before it has seen those.
//
//   ids[r] = from[r] >= 0 ? sampled[from[r]] : -1 - from[r],  history[history_at[r]] = ids[r]
//
// All i32; a thread a row. A few KB: what this costs is a node of the step's graph, 2 us, where a copy to the host and back would
// cost the GPU some 20 us of waiting.
#include "device.cuh"

namespace g4::cuda {

namespace {

constexpr int kThreads = 128;

__global__ void __launch_bounds__(kThreads)
    input_tokens_kernel(int32_t* ids, const int32_t* sampled, const int32_t* from, int32_t* history, const int32_t* history_at, int64_t rows) {
  const int64_t row = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (!G4_GUARD(row < rows)) return;
  const int32_t source = from[row];
  const int32_t id = source >= 0 ? sampled[source] : -1 - source;
  ids[row] = id;
  if (history != nullptr && history_at[row] >= 0) history[history_at[row]] = id;
}

}  // namespace

}  // namespace g4::cuda

using namespace g4::cuda;

int g4_input_tokens(g4_stream stream, g4_ptr ids_i32, g4_cptr sampled_i32, g4_cptr from_i32, g4_ptr history_i32, g4_cptr history_at_i32, int64_t rows) {
  if (rows == 0) return G4_OK;
  launch(input_tokens_kernel, dim3(unsigned(ceil_div(rows, kThreads))), dim3(kThreads), 0, stream, static_cast<int32_t*>(ids_i32),
         static_cast<const int32_t*>(sampled_i32), static_cast<const int32_t*>(from_i32), static_cast<int32_t*>(history_i32),
         static_cast<const int32_t*>(history_at_i32), rows);
  return status();
}
