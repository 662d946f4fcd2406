package io.github.grpo4j.model;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * A decoder-only language model of the Qwen2 or Llama family: token ids to final hidden states, forward and backward, and
 * cached decoding. The head is applied by {@link LossHead} (training) or {@link #logits} (decoding), since full training
 * logits would be the largest tensor of all.
 */
public final class CausalLm implements AutoCloseable {
  /** Which activations the backward pass finds in memory and which it computes again. */
  public enum Recompute {
    /** Each block's inputs to its matrix products are kept. */
    NONE,
    /** Only the residual stream between blocks is kept; each block's forward pass runs a second time. */
    LAYER
  }

  /**
   * Activations of one training forward pass, valid until the arena is reset to a mark taken before it.
   *
   * @param residuals residual stream before each block, and after the last
   * @param saved per block; null where it is to be computed again
   * @param normed after the final norm: what the head reads, {@code [T, H]}
   */
  public record Activations(PackedBatch batch, List<Tensor> residuals, List<TransformerLayer.Saved> saved, Tensor normed) {}

  private final Backend backend;
  private final ModelWeights weights;
  private final ModelConfig config;
  private final RotaryTable rotary;
  private final List<TransformerLayer> layers = new ArrayList<>();

  /**
   * @param weights stay the caller's
   * @param maxPositions longest sequence that will be seen, prompt and completion together
   */
  public CausalLm(Backend backend, ModelWeights weights, int maxPositions) {
    this.backend = backend;
    this.weights = weights;
    this.config = weights.config();
    if (maxPositions > config.maxPositions()) {
      throw new IllegalArgumentException("sequences of up to " + maxPositions + " tokens were asked for, but the model knows only "
          + config.maxPositions() + " positions (max_position_embeddings); shorten the prompt or the answer limit");
    }
    this.rotary = new RotaryTable(backend, maxPositions, config.headDim(), config.ropeTheta());
    for (int i = 0; i < config.layers(); i++) {
      layers.add(new TransformerLayer(backend, config, weights.layer(i)));
    }
  }

  public ModelConfig config() {
    return config;
  }

  public ModelWeights weights() {
    return weights;
  }

  public Backend backend() {
    return backend;
  }

  public int maxPositions() {
    return rotary.positions();
  }

  /** The training forward pass. */
  public Activations forward(PackedBatch batch, Arena arena, Recompute recompute) {
    checkLength(batch.segments().maxSeqlen());
    DType dtype = weights.dtype();
    long tokens = batch.tokens();
    List<Tensor> residuals = new ArrayList<>();
    List<TransformerLayer.Saved> saved = new ArrayList<>();
    Tensor x = arena.tensor(dtype, tokens, config.hiddenSize());
    backend.embedding(x, weights.embedding().weight(), batch.ids());
    residuals.add(x);
    for (TransformerLayer layer : layers) {
      Tensor next = arena.tensor(dtype, tokens, config.hiddenSize());
      long mark = arena.mark();
      TransformerLayer.Saved kept = TransformerLayer.allocate(arena, dtype, config, x);
      layer.forward(kept, next, batch, rotary, arena);
      if (recompute == Recompute.LAYER) {
        arena.reset(mark);
        kept = null;
      }
      saved.add(kept);
      residuals.add(next);
      x = next;
    }
    Tensor normed = arena.tensor(dtype, tokens, config.hiddenSize());
    backend.rmsNorm(normed, x, weights.finalNorm().weight(), config.rmsNormEps());
    return new Activations(batch, residuals, saved, normed);
  }

  /**
   * The residual stream {@code [T, H]} after the first {@code depth} blocks, without the final norm: {@link #forward} that stops there
   * and keeps nothing else. Same bits as {@code forward(…).residuals().get(depth)}.
   *
   * @param depth 0 (the embedding) to the number of layers
   */
  public Tensor hidden(PackedBatch batch, int depth, Arena arena) {
    if (depth < 0 || depth > layers.size()) {
      throw new IllegalArgumentException("depth is " + depth + ", and the model has " + layers.size() + " layers");
    }
    checkLength(batch.segments().maxSeqlen());
    Tensor x = arena.tensor(weights.dtype(), batch.tokens(), config.hiddenSize());
    Tensor next = arena.tensor(weights.dtype(), batch.tokens(), config.hiddenSize());
    backend.embedding(x, weights.embedding().weight(), batch.ids());
    for (TransformerLayer layer : layers.subList(0, depth)) {
      long mark = arena.mark();
      layer.forward(TransformerLayer.allocate(arena, weights.dtype(), config, x), next, batch, rotary, arena);
      arena.reset(mark);
      Tensor last = x;
      x = next;
      next = last;
    }
    return x;
  }

  /**
   * Adds the gradients of all weights below the head.
   *
   * @param dNormed gradient of {@link Activations#normed}
   */
  public void backward(Activations activations, Tensor dNormed, Gradients gradients, Arena arena) {
    long start = arena.mark();
    PackedBatch batch = activations.batch();
    List<Tensor> residuals = activations.residuals();
    Tensor d = arena.tensor(weights.dtype(), batch.tokens(), config.hiddenSize());
    backend.rmsNormBackward(d, gradients.of(weights.finalNorm()), dNormed, residuals.get(layers.size()),
        weights.finalNorm().weight(), config.rmsNormEps(), false);
    for (int i = layers.size() - 1; i >= 0; i--) {
      long mark = arena.mark();
      TransformerLayer.Saved saved = activations.saved().get(i);
      if (saved == null) {
        saved = TransformerLayer.allocate(arena, weights.dtype(), config, residuals.get(i));
        layers.get(i).forward(saved, residuals.get(i + 1), batch, rotary, arena);
      }
      layers.get(i).backward(d, saved, batch, rotary, gradients, arena);
      arena.reset(mark);
    }
    backend.embeddingBackward(gradients.of(weights.embedding()), d, batch.ids());
    arena.reset(start);
  }

  /**
   * The forward pass of generation: new rows of several sequences (a prompt to prefill, or one token each), whose keys and
   * values join the cache. Returns the final hidden states after the norm, {@code [rows, H]}; same bits as {@link #forward}.
   */
  public Tensor decode(KvCache.Step step, KvCache cache, Arena arena) {
    DType dtype = weights.dtype();
    long rows = step.ids().rows();
    Tensor normed = arena.tensor(dtype, rows, config.hiddenSize());
    long mark = arena.mark();
    Tensor x = arena.tensor(dtype, rows, config.hiddenSize());
    backend.embedding(x, weights.embedding().weight(), step.ids());
    for (int i = 0; i < layers.size(); i++) {
      layers.get(i).decode(x, step, cache.layer(i), rotary, arena);
    }
    backend.rmsNorm(normed, x, weights.finalNorm().weight(), config.rmsNormEps());
    arena.reset(mark);
    return normed;
  }

  /** The head: F32 {@code [rows, V]} from normed hidden states {@code [rows, H]}. */
  public void logits(Tensor logits, Tensor normed) {
    backend.linear(logits, normed, weights.head().weight(), null, false);
  }

  /**
   * Arena bytes of a training forward and backward pass over {@code tokens} rows, head excluded, of which not more than
   * {@link PackedBatch#MAX_WORKSPACE} times as many are shared.
   */
  public static long trainingBytes(ModelConfig config, DType dtype, long tokens, Recompute recompute) {
    long stream = Arena.sizeOf(dtype, tokens, config.hiddenSize());
    long ids = 5 * Arena.sizeOf(DType.I32, tokens + 1);
    long perLayer = TransformerLayer.savedBytes(dtype, config, tokens);
    long kept = recompute == Recompute.LAYER ? perLayer : config.layers() * perLayer;
    return ids + (config.layers() + 4L) * stream + kept + TransformerLayer.workingBytes(dtype, config, tokens);
  }

  /** Arena bytes of a batch of {@code tokens} rows and of {@link #hidden} over it; never more than {@link #trainingBytes}. */
  public static long hiddenBytes(ModelConfig config, DType dtype, long tokens) {
    return 5 * Arena.sizeOf(DType.I32, tokens + 1) + 2 * Arena.sizeOf(dtype, tokens, config.hiddenSize())
        + TransformerLayer.savedBytes(dtype, config, tokens) + TransformerLayer.forwardBytes(dtype, config, tokens);
  }

  /** Arena bytes of {@link #decode} over {@code rows} rows. */
  public static long decodeBytes(ModelConfig config, DType dtype, long rows) {
    return 2 * Arena.sizeOf(dtype, rows, config.hiddenSize()) + TransformerLayer.decodeBytes(dtype, config, rows);
  }

  private void checkLength(int length) {
    if (length > rotary.positions()) {
      throw new IllegalArgumentException("a sequence of " + length + " tokens is longer than the " + rotary.positions()
          + " that the model was opened for");
    }
  }

  @Override
  public void close() {
    rotary.close();
  }
}
