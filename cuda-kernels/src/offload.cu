// The streamed placement of AdamW (include/grpo4j/offload.h): copies around optimizer.cu's kernel.
//
// Bytes per element over the bus: 12 in and 12 out, at the same time. PCIe 5.0 x16 carries 50 to 55 GB/s each way in practice, so
// 0.5B parameters (6 GB each way) take 110 to 120 ms, against 3.4 ms for the same update in device memory; the kernel's 30 bytes an element at
// 4.3 TB/s hide behind the copies. Device memory: two staging areas of 12 bytes an element, 2 x 201 MB for buckets of 2^24.
// Buckets that large keep the few microseconds that a copy takes to start below 0.5 % of its 1.2 ms.
#include "grpo4j/offload.h"

#include "device.cuh"

namespace g4::cuda {

namespace {

// A staging area: master, m and v one after the other, each aligned for vectors.
struct Staging {
  float* part[3];

  Staging(const g4_offload_lane& lane, int64_t count) {
    float* base = static_cast<float*>(lane.staging);
    const int64_t stride = ceil_div(count, 64) * 64;
    for (int i = 0; i < 3; i++) part[i] = base + i * stride;
  }
};

g4_host_states bucket_of(const g4_host_states& all, int64_t begin, int64_t bucket) {
  const int64_t left = all.count - begin;
  return {all.master + begin, all.m + begin, all.v + begin, left < bucket ? left : bucket};
}

int64_t bytes_of(int dtype) { return dtype == G4_F32 ? 4 : 2; }

}  // namespace

}  // namespace g4::cuda

using namespace g4::cuda;

int64_t g4_offload_staging(int64_t bucket) { return 3 * ceil_div(bucket, 64) * 64 * int64_t(sizeof(float)); }

int g4_offload_fetch(const g4_offload_lane* lane, const g4_host_states* states) {
  const Staging staging(*lane, states->count);
  const float* from[3] = {states->master, states->m, states->v};
  int status = G4_OK;
  for (int i = 0; i < 3 && status == G4_OK; i++) status = g4_copy(lane->stream, staging.part[i], from[i], states->count * int64_t(sizeof(float)));
  return status;
}

int g4_offload_update(const g4_offload_lane* lane, const g4_host_states* states, g4_ptr weight, int weight_dtype, g4_cptr grad, const g4_adamw_settings* settings) {
  const Staging staging(*lane, states->count);
  float* to[3] = {states->master, states->m, states->v};
  int status = g4_adamw(lane->stream, weight, weight_dtype, 0, staging.part[0], staging.part[1], staging.part[2], grad, states->count, settings);
  for (int i = 0; i < 3 && status == G4_OK; i++) status = g4_copy(lane->stream, to[i], staging.part[i], states->count * int64_t(sizeof(float)));
  return status;
}

int g4_adamw_offloaded(const g4_offload_lane* lanes, const g4_host_states* states, g4_ptr weight, int weight_dtype, g4_cptr grad, int64_t bucket, int fetched, const g4_adamw_settings* settings) {
  int status = G4_OK;
  for (int64_t begin = 0, index = 0; begin < states->count && status == G4_OK; begin += bucket, index++) {
    const g4_offload_lane& lane = lanes[index % 2];
    const g4_host_states part = bucket_of(*states, begin, bucket);
    if (index >= fetched) status = g4_offload_fetch(&lane, &part);
    if (status == G4_OK)
      status = g4_offload_update(&lane, &part, static_cast<char*>(weight) + begin * bytes_of(weight_dtype), weight_dtype, static_cast<const float*>(grad) + begin, settings);
  }
  return status;
}
