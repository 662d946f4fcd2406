package io.github.grpo4j.model;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.AttentionShape;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.model.ModelWeights.Layer;

/**
 * One pre-norm transformer block, forward and backward:
 *
 * <pre>
 *   x_mid = x     + W_o attention(rope(W_qkv rmsnorm(x) + b))
 *   x_out = x_mid + W_down swiglu(W_gate_up rmsnorm(x_mid))
 * </pre>
 *
 * Training ({@link #forward}, {@link #backward}) and decoding ({@link #decode}) call the same ops on the same weights in the
 * same order, and every op gives a row the same bits whatever stands beside it; so they agree to the bit.
 */
final class TransformerLayer {
  /**
   * What the backward pass needs of the forward pass. The outputs of the norms and of SwiGLU are left out: they are
   * cheaper to compute again than to keep.
   *
   * @param x residual stream on entry {@code [T, H]}
   * @param xMid residual stream between attention and MLP {@code [T, H]}
   * @param lse F32 {@code [T, heads]}
   */
  record Saved(Tensor x, Tensor qkv, Tensor o, Tensor lse, Tensor xMid, Tensor gateUp) {}

  private final Backend backend;
  private final ModelConfig config;
  private final AttentionShape attention;
  private final Layer weights;

  TransformerLayer(Backend backend, ModelConfig config, Layer weights) {
    this.backend = backend;
    this.config = config;
    this.attention = config.attention();
    this.weights = weights;
  }

  /** Tensors of {@link Saved}, apart from x, which the caller owns. */
  static Saved allocate(Arena arena, DType dtype, ModelConfig config, Tensor x) {
    long tokens = x.rows();
    AttentionShape attention = config.attention();
    return new Saved(
        x,
        arena.tensor(dtype, tokens, attention.qkvColumns()),
        arena.tensor(dtype, tokens, attention.outColumns()),
        arena.tensor(DType.F32, tokens, attention.heads()),
        arena.tensor(dtype, tokens, config.hiddenSize()),
        arena.tensor(dtype, tokens, 2L * config.intermediateSize()));
  }

  /** Bytes of {@link #allocate} for {@code tokens} rows. */
  static long savedBytes(DType dtype, ModelConfig config, long tokens) {
    AttentionShape attention = config.attention();
    return Arena.sizeOf(dtype, tokens, attention.qkvColumns()) + Arena.sizeOf(dtype, tokens, attention.outColumns())
        + Arena.sizeOf(DType.F32, tokens, attention.heads()) + Arena.sizeOf(dtype, tokens, config.hiddenSize())
        + Arena.sizeOf(dtype, tokens, 2L * config.intermediateSize());
  }

  /** Bytes that {@link #backward} (the larger of the two passes) takes from the arena while it runs. */
  static long workingBytes(DType dtype, ModelConfig config, long tokens) {
    AttentionShape attention = config.attention();
    long mlp = Arena.sizeOf(dtype, tokens, config.intermediateSize()) + Arena.sizeOf(dtype, tokens, 2L * config.intermediateSize());
    long heads = Arena.sizeOf(dtype, tokens, attention.outColumns()) + Arena.sizeOf(dtype, tokens, attention.qkvColumns())
        + Arena.sizeOf(DType.F32, PackedBatch.MAX_WORKSPACE * tokens, attention.workspaceColumns());
    return Arena.sizeOf(dtype, tokens, config.hiddenSize()) + Math.max(mlp, heads);
  }

  /** Bytes that {@link #forward} takes from the arena while it runs. */
  static long forwardBytes(DType dtype, ModelConfig config, long tokens) {
    return Arena.sizeOf(dtype, tokens, config.hiddenSize()) + Arena.sizeOf(dtype, tokens, config.intermediateSize());
  }

  /** Fills {@code saved} from {@code saved.x} and writes the block's output to xOut {@code [T, H]}. */
  void forward(Saved saved, Tensor xOut, PackedBatch batch, RotaryTable rotary, Arena arena) {
    long mark = arena.mark();
    Tensor normed = arena.tensor(saved.x().dtype(), saved.x().rows(), config.hiddenSize());
    backend.rmsNorm(normed, saved.x(), weights.inputNorm().weight(), config.rmsNormEps());
    backend.linear(saved.qkv(), normed, weights.qkv().weight(), qkvBias(), false);
    rotate(saved.qkv(), batch.positions(), rotary, false);
    backend.attention(saved.o(), saved.lse(), saved.qkv(), attention, batch.segments());
    backend.copy(saved.xMid(), saved.x());
    backend.linear(saved.xMid(), saved.o(), weights.output().weight(), null, true);
    backend.copy(xOut, saved.xMid());
    mlp(xOut, saved.xMid(), saved.gateUp(), normed, arena);
    arena.reset(mark);
  }

  /**
   * One step of cached generation, in place: x {@code [rows, H]} goes in as the residual stream and comes out as the
   * block's output, and the rows' keys and values are appended to the cache.
   */
  void decode(Tensor x, KvCache.Step step, KvCache.LayerCache cache, RotaryTable rotary, Arena arena) {
    long mark = arena.mark();
    DType dtype = x.dtype();
    Tensor normed = arena.tensor(dtype, x.rows(), config.hiddenSize());
    Tensor qkv = arena.tensor(dtype, x.rows(), attention.qkvColumns());
    Tensor o = arena.tensor(dtype, x.rows(), attention.outColumns());
    backend.rmsNorm(normed, x, weights.inputNorm().weight(), config.rmsNormEps());
    backend.linear(qkv, normed, weights.qkv().weight(), qkvBias(), false);
    rotate(qkv, step.positions(), rotary, false);
    backend.kvAppend(cache.keys(), cache.values(), qkv, attention, step.slots());
    backend.attentionPaged(o, qkv, attention, cache.keys(), cache.values(), step.blockTable(), step.cuQ(), step.kvLens());
    backend.linear(x, o, weights.output().weight(), null, true);
    Tensor gateUp = arena.tensor(dtype, x.rows(), 2L * config.intermediateSize());
    mlp(x, x, gateUp, normed, arena);
    arena.reset(mark);
  }

  /** Bytes that {@link #decode} takes from the arena for {@code rows} rows. */
  static long decodeBytes(DType dtype, ModelConfig config, long rows) {
    AttentionShape attention = config.attention();
    return Arena.sizeOf(dtype, rows, config.hiddenSize()) + Arena.sizeOf(dtype, rows, attention.qkvColumns())
        + Arena.sizeOf(dtype, rows, attention.outColumns()) + Arena.sizeOf(dtype, rows, 2L * config.intermediateSize())
        + Arena.sizeOf(dtype, rows, config.intermediateSize());
  }

  /** {@code out += W_down swiglu(W_gate_up rmsnorm(x))}. */
  private void mlp(Tensor out, Tensor x, Tensor gateUp, Tensor normed, Arena arena) {
    Tensor activated = arena.tensor(x.dtype(), x.rows(), config.intermediateSize());
    backend.rmsNorm(normed, x, weights.postNorm().weight(), config.rmsNormEps());
    backend.linear(gateUp, normed, weights.gateUp().weight(), null, false);
    backend.swiglu(activated, gateUp);
    backend.linear(out, activated, weights.down().weight(), null, true);
  }

  /** d [T, H] goes in as the gradient of the block's output and comes out as that of its input. */
  void backward(Tensor d, Saved saved, PackedBatch batch, RotaryTable rotary, Gradients gradients, Arena arena) {
    long start = arena.mark();
    Tensor scratch = arena.tensor(d.dtype(), d.rows(), config.hiddenSize());
    long mark = arena.mark();
    backwardMlp(d, scratch, saved, gradients, arena);
    arena.reset(mark);
    backwardAttention(d, scratch, saved, batch, rotary, gradients, arena);
    arena.reset(start);
  }

  private void backwardMlp(Tensor d, Tensor scratch, Saved saved, Gradients gradients, Arena arena) {
    DType dtype = d.dtype();
    long inner = config.intermediateSize();
    Tensor dActivated = arena.tensor(dtype, d.rows(), inner);
    backend.linearBackwardInput(dActivated, d, weights.down().weight(), false);
    Tensor dGateUp = arena.tensor(dtype, d.rows(), 2 * inner);
    Tensor activated = dActivated;
    backend.swigluBackward(dGateUp, activated, dActivated, saved.gateUp());
    backend.linearBackwardWeight(gradients.of(weights.down()), null, d, activated);
    Tensor normed = scratch;
    backend.rmsNorm(normed, saved.xMid(), weights.postNorm().weight(), config.rmsNormEps());
    backend.linearBackwardWeight(gradients.of(weights.gateUp()), null, dGateUp, normed);
    Tensor dNormed = scratch;
    backend.linearBackwardInput(dNormed, dGateUp, weights.gateUp().weight(), false);
    backend.rmsNormBackward(
        d, gradients.of(weights.postNorm()), dNormed, saved.xMid(), weights.postNorm().weight(), config.rmsNormEps(), true);
  }

  private void backwardAttention(
      Tensor d, Tensor scratch, Saved saved, PackedBatch batch, RotaryTable rotary, Gradients gradients, Arena arena) {
    DType dtype = d.dtype();
    backend.linearBackwardWeight(gradients.of(weights.output()), null, d, saved.o());
    Tensor dO = arena.tensor(dtype, d.rows(), attention.outColumns());
    backend.linearBackwardInput(dO, d, weights.output().weight(), false);
    Tensor dQkv = arena.tensor(dtype, d.rows(), attention.qkvColumns());
    Tensor workspace = batch.workspaceRows() == 0 ? null : arena.tensor(DType.F32, batch.workspaceRows(), attention.workspaceColumns());
    backend.attentionBackward(dQkv, dO, saved.o(), saved.lse(), saved.qkv(), attention, batch.segments(), workspace);
    rotate(dQkv, batch.positions(), rotary, true);
    Tensor normed = scratch;
    backend.rmsNorm(normed, saved.x(), weights.inputNorm().weight(), config.rmsNormEps());
    backend.linearBackwardWeight(gradients.of(weights.qkv()), gradients.of(weights.qkvBias()), dQkv, normed);
    Tensor dNormed = scratch;
    backend.linearBackwardInput(dNormed, dQkv, weights.qkv().weight(), false);
    backend.rmsNormBackward(
        d, gradients.of(weights.inputNorm()), dNormed, saved.x(), weights.inputNorm().weight(), config.rmsNormEps(), true);
  }

  private Tensor qkvBias() {
    return weights.qkvBias() == null ? null : weights.qkvBias().weight();
  }

  /** Queries and keys lie side by side, so one call rotates both. */
  private void rotate(Tensor qkv, Tensor positions, RotaryTable rotary, boolean inverse) {
    backend.rope(qkv, 0, attention.heads() + attention.kvHeads(), rotary.tensor(), positions, inverse);
  }
}
