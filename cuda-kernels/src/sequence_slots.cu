// Where packed sequences lie, as cuDNN wants it told: for each of `slots` slots the length of its sequence, and where it begins
// in three tensors of different widths, counted in elements.
//
//   lengths[i] = cu[i + 1] - cu[i],  offsets[t][i] = cu[i] columns[t];  slots beyond the sequences are empty, at the end
//
// lengths i32 [slots], offsets i64 [3] of slots + 1 each (`offsets_stride` apart), cu i32 [sequences + 1], slots >= sequences.
//
// A thread has one slot; a few kilobytes in all, so what counts is that it is one launch.
#include "cuda_ops.h"
#include "device.cuh"

namespace g4::cuda {

namespace {

constexpr int kThreads = 128;

__global__ void __launch_bounds__(kThreads) sequence_slots_kernel(int32_t* lengths, int64_t* offsets, int64_t offsets_stride, const int32_t* cu,
                                                                  int64_t sequences, int64_t slots, int64_t columns0, int64_t columns1, int64_t columns2) {
  const int64_t slot = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (!G4_GUARD(slot <= slots)) return;
  const int64_t begin = cu[slot < sequences ? slot : sequences];
  offsets[slot] = begin * columns0;
  offsets[offsets_stride + slot] = begin * columns1;
  offsets[2 * offsets_stride + slot] = begin * columns2;
  if (G4_GUARD(slot < slots)) lengths[slot] = slot < sequences ? int32_t(cu[slot + 1] - begin) : 0;
}

}  // namespace

}  // namespace g4::cuda

using namespace g4::cuda;

int g4_cuda_sequence_slots(g4_stream stream, g4_ptr lengths_i32, g4_ptr offsets_i64, int64_t offsets_stride, g4_cptr cu_seqlens_i32, int64_t sequences,
                           int64_t slots, int64_t columns0, int64_t columns1, int64_t columns2) {
  launch(sequence_slots_kernel, dim3(unsigned(ceil_div(slots + 1, kThreads))), dim3(kThreads), 0, stream, static_cast<int32_t*>(lengths_i32),
         static_cast<int64_t*>(offsets_i64), offsets_stride, static_cast<const int32_t*>(cu_seqlens_i32), sequences, slots, columns0, columns1, columns2);
  return status();
}
