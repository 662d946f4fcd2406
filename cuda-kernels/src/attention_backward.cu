// Backward of causal grouped-query attention (Dao et al. 2022, algorithm 4), the probabilities recomputed from lse.
//
//   P_ij = e^(s_ij - lse_i),  s_ij = scale q_i . k_j           dV_j = sum over i of P_ij dO_i
//   D_i = dO_i . O_i,  dS_ij = P_ij (dO_i . v_j - D_i)           dQ_i = scale sum over j of dS_ij k_j,  dK_j = scale sum over i of dS_ij q_i
//
// Deterministic without atomics, at a price: S and dP are computed twice, once by the kernel that owns query rows and sums dQ
// over keys, once by the kernel that owns keys and sums dK and dV over query rows. Seven products instead of five. No sum
// crosses a block, except that of a parent's keys over its children: those go to the workspace in fp32, a copy for each
// segment, and the last kernel adds the copies in the order of the segments.
//
// Four launches: D (into the first four bytes of each dQ row, which nobody needs until dQ is written: no memory of its own);
// dK and dV; dQ; the sums over children, if there are any.
//
// Tensor cores (16-bit storage, head_dim 64 and 128). A warp of dQ keeps 32 query rows (D = 64) or 16 (D = 128), a warp of dK
// and dV as many keys; what it sums fills 64 or 128 registers a lane. The other side comes by in tiles of 64 rows, two stages
// deep with one barrier and one wait each, 32 of them in registers at once. P and dS stay in registers between products: the
// sums of one product have the layout of the operand of the next, and S^T = K Q^T is computed where dV += P^T dO needs it
// transposed.
// Shared memory 66 KB (D = 64) or 98 KB, and 160 to 253 registers: 2 blocks of 128 threads an SM on Hopper. At 128 bytes a clock
// shared memory feeds 2,458 (dQ) and 2,731 (dK, dV) flops a clock and SM at D = 64, about what mma.sync reaches; at D = 128, with
// half the rows a warp, 1,536 and 1,638: there it is the bound, 39 % of the data sheet's 4,096, of which the five products that
// count are 28 %. Room left: 32 rows of dQ a warp at D = 128, with one stage instead of two.
// Device memory for each block of 128 (64) rows: the other side once, from L2 mostly, and lse and D.
//
// Every other head_dim, and fp32, take the plain path: a warp for each query row or key, scalar arithmetic.
#include "attention_backward.cuh"

namespace g4::cuda {

namespace {

// A warp for each query row and head: D.
template <class T>
__global__ void __launch_bounds__(kPlainWarps * kWarp, 4) attention_dot_kernel(BackwardOperands<T> all, PackedBatch batch) {
  const int lane = int(threadIdx.x) % kWarp, kv_head = int(blockIdx.y);
  QueryRows query;
  PackedKeys keys;
  if (!batch.find(int(blockIdx.x), kPlainWarps, all.in.group, kv_head, query, keys)) return;
  const int row = query.first + int(threadIdx.x) / kWarp;
  if (!G4_GUARD(row < query.rows)) return;
  const int64_t out = all.in.out_row(query, row, kv_head) * all.in.head_dim;
  float sum = 0.0f;
  for (int d = lane; G4_GUARD(d < all.in.head_dim); d += kWarp) sum = fmaf(to_float(all.d_o[out + d]), to_float(all.in.o[out + d]), sum);
  sum = warp_sum(sum);
  if (lane == 0) memcpy(all.dq_row(query, row, kv_head), &sum, sizeof sum);
}

template <class T>
__global__ void __launch_bounds__(kPlainWarps * kWarp, 4) attention_dq_plain_kernel(BackwardOperands<T> all, PackedBatch batch) {
  G4_SHARED(float, rows, kPlainWarps * 2 * kMaxHeadDim);
  const AttentionOperands<T>& in = all.in;
  const int warp = int(threadIdx.x) / kWarp, lane = int(threadIdx.x) % kWarp, kv_head = int(blockIdx.y);
  QueryRows query;
  PackedKeys keys;
  if (!batch.find(int(blockIdx.x), kPlainWarps, in.group, kv_head, query, keys)) return;
  const int row = query.first + warp;
  if (!G4_GUARD(row < query.rows)) return;
  float* q = rows + warp * 2 * kMaxHeadDim;
  float* d_o = q + kMaxHeadDim;
  const T* q_from = in.q_row(query, row, kv_head);
  T* to = all.dq_row(query, row, kv_head);
  const int64_t out = in.out_row(query, row, kv_head);
  for (int d = lane; G4_GUARD(d < in.head_dim); d += kWarp) {
    q[d] = to_float(*readable(q_from + d, 1));
    d_o[d] = to_float(all.d_o[out * in.head_dim + d]);
  }
  float dot_product;
  memcpy(&dot_product, to, sizeof dot_product);
  __syncwarp();

  const int visible = query.visible(row, in.group);
  const float lse = in.lse[out];
  float sum[kMaxHeadDim / kWarp] = {};
  for (int start = 0; start < visible; start += kWarp) {
    float ds = 0.0f;
    if (G4_GUARD(start + lane < visible)) {
      const int64_t key = keys.offset(start + lane);
      const float p = exp2_approx((dot(q, in.k + key, in.head_dim) * in.scale - lse) * kLog2E);
      ds = p * (dot(d_o, in.v + key, in.head_dim) - dot_product);
    }
    add_weighted_rows<T>(sum, ds, visible - start < kWarp ? visible - start : kWarp, in.head_dim, [&](int i) { return in.k + keys.offset(start + i); });
  }
#pragma unroll
  for (int c = 0; c < kMaxHeadDim / kWarp; c++)
    if (G4_GUARD(c * kWarp + lane < in.head_dim)) to[c * kWarp + lane] = from_float<T>(sum[c] * in.scale);
}

// A warp for each key position and kv head.
template <class T>
__global__ void __launch_bounds__(kPlainWarps * kWarp, 4) attention_dkdv_plain_kernel(BackwardOperands<T> all, PackedBatch batch) {
  G4_SHARED(float, rows, kPlainWarps * 2 * kMaxHeadDim);
  const AttentionOperands<T>& in = all.in;
  const int warp = int(threadIdx.x) / kWarp, lane = int(threadIdx.x) % kWarp, kv_head = int(blockIdx.y);
  const int segment = int(blockIdx.x) % batch.segments, position = int(blockIdx.x) / batch.segments * kPlainWarps + warp;
  const PackedKeys keys = batch.keys(segment, kv_head);
  const int own = batch.length(segment);
  if (!G4_GUARD(position < keys.parent_length + own) || own == 0) return;
  float* k = rows + warp * 2 * kMaxHeadDim;
  float* v = k + kMaxHeadDim;
  for (int d = lane; G4_GUARD(d < in.head_dim); d += kWarp) {
    k[d] = to_float(*readable(in.k + keys.offset(position) + d, 1));
    v[d] = to_float(in.v[keys.offset(position) + d]);
  }
  __syncwarp();

  const QueryRows query{batch.cu_seqlens[segment], 0, own * in.group.heads, keys.parent_length};
  const int first = position > keys.parent_length ? (position - keys.parent_length) * in.group.heads : 0;
  float dk[kMaxHeadDim / kWarp] = {}, dv[kMaxHeadDim / kWarp] = {};
  for (int start = first; start < query.rows; start += kWarp) {
    const int row = start + lane;
    float p = 0.0f, ds = 0.0f;
    if (G4_GUARD(row < query.rows)) {
      const int64_t out = in.out_row(query, row, kv_head);
      float dot_product;
      memcpy(&dot_product, all.dq_row(query, row, kv_head), sizeof dot_product);
      p = exp2_approx((dot(k, in.q_row(query, row, kv_head), in.head_dim) * in.scale - in.lse[out]) * kLog2E);
      ds = p * (dot(v, all.d_o + out * in.head_dim, in.head_dim) - dot_product);
    }
    const int count = query.rows - start < kWarp ? query.rows - start : kWarp;
    add_weighted_rows<T>(dv, p, count, in.head_dim, [&](int i) { return all.d_o + in.out_row(query, start + i, kv_head) * in.head_dim; });
    add_weighted_rows<T>(dk, ds, count, in.head_dim, [&](int i) { return in.q_row(query, start + i, kv_head); });
  }
  const KeyGradients<T> to(all, batch, keys, segment, kv_head, position);
#pragma unroll
  for (int c = 0; c < kMaxHeadDim / kWarp; c++) {
    const int d = c * kWarp + lane;
    if (!G4_GUARD(d < in.head_dim)) continue;
    if (to.dk != nullptr) {
      to.dk[d] = from_float<T>(dk[c] * in.scale);
      to.dv[d] = from_float<T>(dv[c]);
    } else {
      to.sums[d] = dk[c] * in.scale;
      to.sums[all.kv_heads * in.head_dim + d] = dv[c];
    }
  }
}

// dk and dv of a parent's rows: its own copy in the workspace and those of its children. A block for 8 rows of a segment.
constexpr int kSumThreads = 128;
constexpr int kSumRows = 8;

template <class T>
__global__ void __launch_bounds__(kSumThreads, 8) attention_children_kernel(BackwardOperands<T> all, PackedBatch batch) {
  const int parent = int(blockIdx.x), first = int(blockIdx.y) * kSumRows;
  const int rows = batch.length(parent), own = all.workspace_rows[parent];
  if (batch.parents[parent] >= 0 || own < 0) return;
  const int width = all.kv_heads * all.in.head_dim;
  for (int row = first; row < first + kSumRows && G4_GUARD(row < rows); row++)
    for (int i = int(threadIdx.x); G4_GUARD(i < 2 * width); i += kSumThreads) {
      float sum = all.workspace[int64_t(own + row) * 2 * width + i];
#pragma unroll 1  // unrolled, it spills
      for (int child = parent + 1; child < batch.segments; child++)
        if (batch.parents[child] == parent && batch.length(child) > 0) sum += all.workspace[int64_t(all.workspace_rows[child] + row) * 2 * width + i];
      const int64_t at = int64_t(batch.cu_seqlens[parent] + row) * batch.kv_stride;
      (i < width ? all.dk[at + i] : all.dv[at + i - width]) = from_float<T>(sum);
    }
}

}  // namespace

}  // namespace g4::cuda

using namespace g4::cuda;

int g4_attention_backward(g4_stream stream, g4_ptr dq, g4_ptr dk, g4_ptr dv, g4_cptr d_o, g4_cptr o, g4_cptr lse, g4_cptr q, g4_cptr k, g4_cptr v, int64_t q_stride, int64_t kv_stride, g4_cptr cu_seqlens_i32, g4_cptr parents_i32, g4_ptr workspace, g4_cptr workspace_rows_i32, int64_t segments, int64_t max_seqlen, int64_t heads, int64_t kv_heads, int64_t head_dim, int dtype) {
  if (segments == 0 || max_seqlen == 0) return G4_OK;
  return with_storage(dtype, [&](auto type) -> int {
    using T = decltype(type);
    if (head_dim > kMaxHeadDim || head_dim * sizeof(T) < sizeof(float)) return G4_UNSUPPORTED;
    const Group group(heads / kv_heads);
    const AttentionOperands<T> in{static_cast<T*>(const_cast<void*>(o)), static_cast<float*>(const_cast<void*>(lse)), static_cast<const T*>(q), static_cast<const T*>(k),
                                  static_cast<const T*>(v), q_stride, int(heads), int(head_dim), group, 1.0f / std::sqrt(float(head_dim))};
    const bool shares = parents_i32 != nullptr && workspace != nullptr;
    const BackwardOperands<T> all{in, static_cast<const T*>(d_o), static_cast<T*>(dq), static_cast<T*>(dk), static_cast<T*>(dv), shares ? static_cast<float*>(workspace) : nullptr,
                                  static_cast<const int32_t*>(workspace_rows_i32), int(kv_heads)};
    // The grid of tiles of `rows` of the longest segment.
    PackedBatch batch{static_cast<const int32_t*>(cu_seqlens_i32), static_cast<const int32_t*>(parents_i32), int(segments), 0, kv_stride, int(head_dim)};
    const auto grid = [&](int64_t length, int64_t rows) {
      batch.tiles = int(ceil_div(length, rows));
      return dim3(unsigned(batch.tiles * segments), unsigned(kv_heads));
    };
    const dim3 plain(kPlainWarps * kWarp);
    dim3 blocks = grid(max_seqlen * group.heads, kPlainWarps);
    launch(attention_dot_kernel<T>, blocks, plain, 0, stream, all, batch);
    const bool tensor_cores = on_tensor_cores<T>(head_dim, q_stride, kv_stride, {dq, dk, dv, d_o, o, q, k, v});
    if constexpr (sizeof(T) == 2) {
      if (tensor_cores)
        with_head_dim(head_dim, [&](auto dim) {
          constexpr int D = decltype(dim)::value;
          blocks = grid(max_seqlen, backward_kept(D));
          launch(attention_dkdv_kernel<T, D>, blocks, dim3(kBackwardThreads), backward_shared_bytes(D), stream, all, batch);
          blocks = grid(max_seqlen * group.heads, backward_kept(D));
          launch(attention_dq_kernel<T, D>, blocks, dim3(kBackwardThreads), backward_shared_bytes(D), stream, all, batch);
          return 0;
        });
    }
    if (!tensor_cores) {
      blocks = grid(max_seqlen, kPlainWarps);
      launch(attention_dkdv_plain_kernel<T>, blocks, plain, 0, stream, all, batch);
      blocks = grid(max_seqlen * group.heads, kPlainWarps);
      launch(attention_dq_plain_kernel<T>, blocks, plain, 0, stream, all, batch);
    }
    if (shares) launch(attention_children_kernel<T>, dim3(unsigned(segments), unsigned(ceil_div(max_seqlen, kSumRows))), dim3(kSumThreads), 0, stream, all, batch);
    return status();
  });
}
