/* AdamW with its states (master weights, m, v) in pinned host memory, streamed through the GPU in buckets: beyond the op
 * catalogue, for the CUDA back end only.
 *
 * Two lanes share the buckets of all parameters. A lane is a stream with a staging area of its own, and does in the order
 * of its stream: copy a bucket's states in, update them and the weights on the device, copy the states back. While one lane
 * computes or copies back, the other one copies in, so both directions of the bus and the arithmetic overlap; and because a staging
 * area belongs to one stream, its reuse needs no event. The update is g4_adamw itself: the bits are those of the placement on the
 * device, and of g4_adamw of the CPU back end over the same host memory (packed = 0).
 *
 * The caller orders the lanes with its other streams: a lane waits for the gradient before g4_offload_update, and whoever reads
 * the weights waits for both lanes. g4_offload_fetch needs no gradient, so the first bucket of each lane can come in while the
 * backward pass still runs.
 *
 * A bucket is part of one tensor, or all of it: pointers to its first element, and a count. master NULL: the weight is F32 and its
 * own master; it stays on the device, and only m and v are streamed. As in ops.h, functions return a g4_status, keep no state,
 * allocate nothing, and return before the work is done. Host memory must be pinned (cudaMallocHost) and 16-byte aligned, as must
 * weight and grad: with pageable memory the copies wait, and nothing overlaps.
 */
#ifndef GRPO4J_OFFLOAD_H
#define GRPO4J_OFFLOAD_H

#include "grpo4j/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a lane's staging area, device memory, for buckets of at most so many elements. */
G4_API int64_t g4_offload_staging(int64_t bucket);
/* states (host) -> staging area */
G4_API int g4_offload_fetch(g4_stream lane, g4_ptr staging, g4_cptr master, g4_cptr m, g4_cptr v, int64_t count);
/* AdamW on what the lane has fetched, with weight and grad [count] in device memory; then staging area -> states */
G4_API int g4_offload_update(g4_stream lane, g4_ptr staging, g4_ptr weight, int weight_dtype, g4_ptr master, g4_ptr m, g4_ptr v, g4_cptr grad, int64_t count, const g4_adamw_settings* settings);

#ifdef __cplusplus
}
#endif
#endif
