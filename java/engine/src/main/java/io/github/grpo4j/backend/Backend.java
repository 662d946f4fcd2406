package io.github.grpo4j.backend;

import java.util.List;

/**
 * The op catalogue: every numerical operation that models, rollouts and updates are composed of. {@code grpo4j/ops.h}
 * defines each op (formula, layouts, rounding); this interface is that header on {@link Tensor}s, with shapes, types and
 * bounds checked before a kernel runs. An implementation that lacks an op does not compile.
 *
 * <p>Notation: {@code T} tokens of all packed sequences, {@code H} hidden width, {@code V} vocabulary, {@code D} head_dim.
 * Activations and weights share one storage type, F32, BF16 or (on a GPU) F16; statistics and weight gradients are F32.
 *
 * <p>Calls are queued in order on one stream and may return before the work is done; {@link #download} waits, and so does
 * {@link #synchronize}. One thread at a time may use a back end.
 *
 * <p>Every op throws {@link IllegalArgumentException} for shapes or types that do not fit, and {@link BackendException}
 * when the device fails.
 */
public interface Backend extends AutoCloseable {
  /** Positions in one block of the paged KV cache. */
  int KV_BLOCK = 32;

  /** One line for people: device, instruction set or compute capability, threads. */
  String description();

  // ---- memory ----

  /** Zeroed memory, owned by the returned tensor. PACKED takes a matrix {@code [out, in]}. */
  Tensor allocate(DType dtype, Layout layout, long... shape);

  /** Bytes that {@link #allocate} would take: what a memory plan adds up. */
  long sizeOf(DType dtype, Layout layout, long... shape);

  /** Bytes allocated and not yet freed. */
  long allocatedBytes();

  /**
   * Zeroed F32 memory of the host, page-locked, for what the device has no room for and a step touches once: optimizer state. Only
   * {@link #copy}, {@link #packRows} and {@link #unpackRows} (from and to F32 of the device) and {@link StreamedAdamW} reach it.
   * Where the device has no memory of its own, it is memory like any other.
   */
  Tensor allocateHost(Layout layout, long... shape);

  /** Bytes of {@link #allocateHost} not yet freed; 0 where they are the device's own, and counted there. */
  long allocatedHostBytes();

  void zero(Tensor dst);

  /** Same type, layout and number of elements. */
  void copy(Tensor dst, Tensor src);

  /** {@code dst} (row-major F32) from {@code src[offset …]}. */
  void upload(Tensor dst, float[] src, int offset);

  /** {@code dst} (row-major I32) from {@code src[offset …]}. */
  void upload(Tensor dst, int[] src, int offset);

  /** Fills {@code dst[offset …]} with all of {@code src} (row-major F32). */
  void download(Tensor src, float[] dst, int offset);

  void download(Tensor src, int[] dst, int offset);

  void download(Tensor src, double[] dst, int offset);

  /**
   * Raw stored bytes, little-endian, in the tensor's own order, from byte {@code offset} of the tensor: for loading weights
   * (row-major) and for checkpoints of optimizer state (any layout). Moves {@code remaining()} bytes of the direct buffer
   * and its position with them, as a channel does.
   */
  void upload(Tensor dst, long offset, java.nio.ByteBuffer src);

  void download(Tensor src, long offset, java.nio.ByteBuffer dst);

  // ---- conversions ----

  /** {@code dst = (type of dst) src}, F32, BF16 or F16, row-major, as many elements. */
  void cast(Tensor dst, Tensor src);

  /** {@code dst += src}, same type. */
  void add(Tensor dst, Tensor src);

  /** Rows {@code [row0, row0 + src.rows())} of the packed weight from the row-major {@code src}, of any floating type. */
  void packRows(Tensor packed, long row0, Tensor src);

  /** Row-major {@code dst}, of any floating type, from rows {@code [row0, row0 + dst.rows())} of the packed weight. */
  void unpackRows(Tensor dst, Tensor packed, long row0);

  /** A packed weight of any storage type from its packed F32 master: rounds, or copies. */
  void castPacked(Tensor dst, Tensor masterF32);

  // ---- linear ----

  /**
   * {@code y = x w^T + bias}: x {@code [M, K]}, w packed {@code [N, K]} and bias {@code [N]} (or null) of x's type, y
   * {@code [M, N]} of x's type or F32. With {@code accumulate}, {@code y +=}.
   */
  void linear(Tensor y, Tensor x, Tensor w, Tensor bias, boolean accumulate);

  /** {@code dx [M, K] = dy [M, N] w}; with {@code accumulate}, {@code dx +=}. dy is of dx's type or F32. */
  void linearBackwardInput(Tensor dx, Tensor dy, Tensor w, boolean accumulate);

  /** {@code dw} (packed F32 {@code [N, K]}) {@code += dy^T x}; {@code dbias} (F32 {@code [N]} or null) {@code += column sums of dy}. */
  void linearBackwardWeight(Tensor dw, Tensor dbias, Tensor dy, Tensor x);

  // ---- embedding ----

  /** y {@code [T, H]} = rows {@code ids} (I32 {@code [T]}) of the packed w {@code [V, H]}. Ids must be in {@code [0, V)}. */
  void embedding(Tensor y, Tensor w, Tensor ids);

  /** {@code dw} (packed F32 {@code [V, H]}) {@code +=} rows of dy. */
  void embeddingBackward(Tensor dw, Tensor dy, Tensor ids);

  // ---- norm ----

  /** y = rmsnorm(x) w, rows of width H. */
  void rmsNorm(Tensor y, Tensor x, Tensor w, float eps);

  /** {@code x += delta; y = rmsnorm(x) w}. */
  void addRmsNorm(Tensor y, Tensor x, Tensor delta, Tensor w, float eps);

  /** dx {@code =} or {@code +=}; {@code dw} (F32 {@code [H]}) {@code +=}. */
  void rmsNormBackward(Tensor dx, Tensor dw, Tensor dy, Tensor x, Tensor w, float eps, boolean accumulate);

  // ---- rotary embeddings ----

  /**
   * Rotates {@code heads} heads that start at column {@code firstColumn} of x {@code [T, columns]}, in place.
   *
   * @param cosSin F32 {@code [positions, D]}: cosines in the first D / 2 columns, sines in the rest
   * @param positions I32 {@code [T]}, each below {@code cosSin.rows()}
   * @param inverse applies the transpose: the backward pass
   */
  void rope(Tensor x, int firstColumn, int heads, Tensor cosSin, Tensor positions, boolean inverse);

  // ---- attention ----

  /** Causal attention inside each packed sequence. o {@code [T, heads D]}; lse F32 {@code [T, heads]}, or null. */
  void attention(Tensor o, Tensor lse, Tensor qkv, AttentionShape shape, Segments segments);

  /**
   * @param workspace F32 {@code [rows, 2 kvHeads D]} for the sums that segments of one parent share, overwritten; null where no
   *     segment has a parent
   */
  void attentionBackward(
      Tensor dqkv, Tensor dO, Tensor o, Tensor lse, Tensor qkv, AttentionShape shape, Segments segments, Tensor workspace);

  /** Memory of one layer's keys or values: {@code blocks} blocks of {@link #KV_BLOCK} positions. */
  Tensor allocateKvCache(DType dtype, AttentionShape shape, int blocks);

  /** Writes keys and values of token t to position {@code slots[t] % 32} of block {@code slots[t] / 32}; -1 skips it. */
  void kvAppend(Tensor kCache, Tensor vCache, Tensor qkv, AttentionShape shape, Tensor slots);

  /** Copies whole blocks inside a cache tensor: block {@code to[i]} from block {@code from[i]}. */
  void kvCopyBlocks(Tensor cache, int[] from, int[] to);

  /**
   * Attention of the last rows of each sequence over its cached positions; bits equal to {@link #attention}.
   *
   * @param blockTable I32 {@code [sequences, maxBlocks]}
   * @param cuQ I32 {@code [sequences + 1]}: offsets of each sequence's query rows in qkv
   * @param kvLens I32 {@code [sequences]}: cached positions, the query rows' own included
   */
  void attentionPaged(Tensor o, Tensor qkv, AttentionShape shape, Tensor kCache, Tensor vCache, Tensor blockTable, Tensor cuQ, Tensor kvLens);

  // ---- SwiGLU ----

  /** y {@code [T, I] = silu(gate) up} of gateUp {@code [T, 2 I]} = (gate | up). */
  void swiglu(Tensor y, Tensor gateUp);

  /** dGateUp of dy; y is what {@link #swiglu} gave, so that nobody needs to keep it, and may be dy itself. */
  void swigluBackward(Tensor dGateUp, Tensor y, Tensor dy, Tensor gateUp);

  // ---- log-probabilities, loss, sampling ----

  /** Of {@code softmax(logits * invTemperature)}, F32 {@code [rows, V]}. logprob, entropy, lse F32 {@code [rows]}, each may be null. */
  void logprob(Tensor logprob, Tensor entropy, Tensor lse, Tensor logits, Tensor targets, float invTemperature);

  /** {@code logits <- d loss / d logits}, from d loss / d log-prob and (or null) d loss / d entropy per row. */
  void logprobBackward(Tensor logits, Tensor dLogprob, Tensor dEntropy, Tensor targets, float invTemperature);

  /** Exact KL divergence over the vocabulary, F32 {@code [rows]}, of logits from refLogits, both F32 {@code [rows, V]} and scaled alike. */
  void kl(Tensor kl, Tensor logits, Tensor refLogits, float invTemperature);

  /** {@code refLogits <- d loss / d logits}, from d loss / d kl per row: the gradient by the policy's logits is written over the reference's. */
  void klBackward(Tensor refLogits, Tensor logits, Tensor dKl, float invTemperature);

  /** One pass: log-prob and entropy of each row, the loss's derivative, and {@code logits <- d loss / d logits}. */
  void policyLoss(Tensor logprob, Tensor entropy, Tensor dLogprob, Tensor logits, Tensor targets, TokenInputs inputs, float invTemperature, TokenLoss loss);

  /**
   * Samples one token a row.
   *
   * @param logits F32 {@code [rows, V]}, destroyed
   * @param counters I32 {@code [rows, 4]}: Philox counter of each row (step, problem, answer, position)
   * @param history I32: earlier tokens of row r at {@code historyStart[r] … historyStart[r + 1]}; both null without penalty
   */
  void sample(Tensor token, Tensor logprob, Tensor entropy, Tensor logits, Tensor counters, Tensor history, Tensor historyStart, SamplingSettings settings);

  /**
   * The tokens that a step of generation reads, of which some were sampled by the step before, so that the host need not know them
   * yet: {@code ids[r] = from[r] >= 0 ? sampled[from[r]] : -1 - from[r]}. With a history, {@code history[historyAt[r]] = ids[r]},
   * too, where {@code historyAt[r] >= 0}. All I32.
   *
   * @param ids {@code [rows]}
   * @param sampled any number of tokens
   * @param from {@code [rows]}: an index in {@code sampled}, or a token t as {@code -1 - t}
   * @param history of any shape; it and {@code historyAt [rows]} are both null, or neither is
   */
  void inputTokens(Tensor ids, Tensor sampled, Tensor from, Tensor history, Tensor historyAt);

  /** The filtered, renormalised distribution that {@link #sample} samples from, F32 {@code [rows, V]}. */
  void filteredProbs(Tensor probs, Tensor logits, Tensor history, Tensor historyStart, SamplingSettings settings);

  // ---- optimizer ----

  /** {@code out} (F64 {@code [2]}) {@code += (sum of squares, number of non-finite elements)} of a gradient. */
  void sumSquares(Tensor out, Tensor grad);

  /**
   * One AdamW step of one parameter: master, m, v and grad are F32 of one layout; weight is the storage-type copy, rounded in
   * the same pass, or the master itself.
   */
  void adamw(Tensor weight, Tensor master, Tensor m, Tensor v, Tensor grad, AdamWSettings settings);

  /**
   * Memory for the buckets is taken here and given back on close, which comes before that of the states and weights.
   *
   * @param bucket elements of a bucket, a multiple of 64
   */
  StreamedAdamW streamedAdamW(List<AdamWState> states, Updater updater, int bucket);

  // ---- work that is done again and again ----

  /** To be closed before the tensors that its work names. */
  Replay replay();

  /** Waits until everything that was queued is done. Results need no such call; a clock does. */
  void synchronize();

  /**
   * @param results sent and not received yet, at most
   * @param bytes of one result, at most
   */
  Readback readback(int results, int bytes);

  @Override
  void close();
}
