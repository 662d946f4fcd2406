/* AdamW with its states (master weights, m, v) in pinned host memory, streamed through the GPU in buckets: beyond the op
 * catalogue, for the CUDA back end only.
 *
 * Two lanes take the buckets by turns. A lane is a stream with a staging area of its own, and does in the order of its stream:
 * copy a bucket's states in, update them and the weights on the device, copy the states back. While one lane computes or
 * copies back, the other one copies in, so both directions of the bus and the arithmetic overlap; and because a staging area
 * belongs to one stream, its reuse needs no event. The update is g4_adamw itself: the bits are those of the placement on the
 * device, and of g4_adamw of the CPU back end over the same host memory (packed = 0).
 *
 * The caller orders the lanes with its other streams: a lane waits for the gradient before g4_offload_update, and whoever reads
 * the weights waits for both lanes. g4_offload_fetch needs no gradient, so the first two buckets can be fetched while the
 * backward pass still runs:
 *
 *     g4_offload_fetch(&lane[0], states of bucket 0);  g4_offload_fetch(&lane[1], states of bucket 1);
 *     ... backward; gradient norm; both streams wait for it ...
 *     g4_adamw_offloaded(lane, states, weight, dtype, gradient, bucket, 2, settings);
 *
 * As in ops.h, functions return a g4_status, keep no state, allocate nothing, and return before the work is done. The host
 * memory must be pinned (cudaHostAlloc): with pageable memory the copies wait, and nothing overlaps.
 */
#ifndef GRPO4J_OFFLOAD_H
#define GRPO4J_OFFLOAD_H

#include "grpo4j/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct g4_offload_lane {
  g4_stream stream;
  g4_ptr staging; /* device memory of g4_offload_staging(bucket) bytes */
} g4_offload_lane;

/* The states of one tensor, or of a part of it: f32 [count] each, in pinned host memory, 16-byte aligned. */
typedef struct g4_host_states {
  float* master;
  float* m;
  float* v;
  int64_t count;
} g4_host_states;

/* Bytes of a lane's staging area for buckets of so many elements. */
G4_API int64_t g4_offload_staging(int64_t bucket);
/* states -> the lane's staging area */
G4_API int g4_offload_fetch(const g4_offload_lane* lane, const g4_host_states* states);
/* AdamW on what the lane has fetched; weight and grad [states->count] are device memory; then staging area -> states */
G4_API int g4_offload_update(const g4_offload_lane* lane, const g4_host_states* states, g4_ptr weight, int weight_dtype, g4_cptr grad, const g4_adamw_settings* settings);
/* Both for a whole tensor, in buckets of `bucket` elements (a multiple of 64), by turns on lanes[0] and lanes[1]. `fetched`: how
 * many of the first two buckets were fetched already (0, 1 or 2). */
G4_API int g4_adamw_offloaded(const g4_offload_lane* lanes, const g4_host_states* states, g4_ptr weight, int weight_dtype, g4_cptr grad, int64_t bucket, int fetched, const g4_adamw_settings* settings);

#ifdef __cplusplus
}
#endif
#endif
