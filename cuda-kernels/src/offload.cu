// The streamed placement of AdamW (offload.h): copies around optimizer.cu's kernel.
//
// Bytes per element over the bus: 12 in and 12 out, at the same time (8 where the weight is its own master). PCIe 5.0 x16 carries
// 50 to 55 GB/s each way in practice, so 0.5B parameters (6 GB each way) take 110 to 120 ms, against 3.4 ms for the same update in
// device memory; the kernel's 30 bytes an element at 4.3 TB/s hide behind the copies. Device memory: two staging areas of 12 bytes
// an element, 2 x 201 MB for buckets of 2^24. Buckets that large keep the few microseconds that a copy takes to start below 0.5 %
// of its 1.2 ms.
#include "offload.h"

#include "device.cuh"

namespace g4::cuda {

namespace {

// A staging area: master, m and v one after the other, each aligned for vectors.
struct Staging {
  float* master;
  float* m;
  float* v;

  Staging(g4_ptr area, int64_t count)
      : master(static_cast<float*>(area)), m(master + ceil_div(count, 64) * 64), v(m + ceil_div(count, 64) * 64) {}
};

int copy(g4_stream lane, void* to, const void* from, int64_t count) { return g4_copy(lane, to, from, count * int64_t(sizeof(float))); }

}  // namespace

}  // namespace g4::cuda

using namespace g4::cuda;

int64_t g4_offload_staging(int64_t bucket) { return 3 * ceil_div(bucket, 64) * 64 * int64_t(sizeof(float)); }

int g4_offload_fetch(g4_stream lane, g4_ptr area, g4_cptr master, g4_cptr m, g4_cptr v, int64_t count) {
  const Staging staging(area, count);
  int status = master == nullptr ? int(G4_OK) : copy(lane, staging.master, master, count);
  if (status == G4_OK) status = copy(lane, staging.m, m, count);
  return status == G4_OK ? copy(lane, staging.v, v, count) : status;
}

int g4_offload_update(g4_stream lane, g4_ptr area, g4_ptr weight, int weight_dtype, g4_ptr master, g4_ptr m, g4_ptr v, g4_cptr grad, int64_t count, const g4_adamw_settings* settings) {
  const Staging staging(area, count);
  int status = g4_adamw(lane, weight, weight_dtype, 0, master == nullptr ? weight : staging.master, staging.m, staging.v, grad, count, settings);
  if (status == G4_OK && master != nullptr) status = copy(lane, master, staging.master, count);
  if (status == G4_OK) status = copy(lane, m, staging.m, count);
  return status == G4_OK ? copy(lane, v, staging.v, count) : status;
}
