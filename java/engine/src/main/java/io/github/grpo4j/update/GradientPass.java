package io.github.grpo4j.update;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.backend.TokenLoss;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.HiddenStates;
import io.github.grpo4j.model.LossHead;
import io.github.grpo4j.model.LossHead.Inputs;
import io.github.grpo4j.model.LossHead.Scores;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.PackedBatch;
import java.util.ArrayList;
import java.util.List;

/**
 * Forward and backward passes over samples, in packed micro-batches cut by a token budget. Every token's share of the loss
 * comes with it ({@link Inputs#weight}), computed over the whole optimizer step beforehand; so loss and gradient do not
 * depend on where the micro-batches are cut, in which order samples come or how they are packed.
 *
 * <p>The prompt of a group goes through the model once a micro-batch, if its samples come one after the other. The budget
 * counts the rows that do.
 */
public final class GradientPass implements AutoCloseable {
  /**
   * A sequence of which the tokens from {@code firstTarget} on are scored.
   *
   * @param ids prompt and answer
   * @param inputs of the scored tokens; null where only scores are wanted
   */
  public record Sample(int[] ids, int firstTarget, Inputs inputs) {
    public Sample {
      if (firstTarget < 1 || firstTarget > ids.length) {
        throw new IllegalArgumentException("a sample of " + ids.length + " tokens cannot be scored from token " + firstTarget
            + " on: the first token is predicted by nothing");
      }
    }

    public int targets() {
      return ids.length - firstTarget;
    }
  }

  private final CausalLm model;
  private final Backend backend;
  private final LossHead head;
  private final int tokenBudget;
  private final CausalLm.Recompute recompute;
  private final Arena arena;

  /**
   * @param microBatchTokens most rows of a micro-batch; a longer sample is one of its own
   * @param maxSampleTokens longest sample
   */
  public GradientPass(CausalLm model, int microBatchTokens, int maxSampleTokens, CausalLm.Recompute recompute) {
    this.model = model;
    this.backend = model.backend();
    this.head = new LossHead(model);
    this.tokenBudget = Math.max(microBatchTokens, maxSampleTokens);
    this.recompute = recompute;
    this.arena = new Arena(backend, bytes(model.config(), model.weights().dtype(), microBatchTokens, maxSampleTokens, recompute),
        "activations", "training.micro_batch_tokens or training.recompute");
  }

  /** Bytes of activations and logits that a pass takes. */
  public static long bytes(ModelConfig config, DType dtype, int microBatchTokens, int maxSampleTokens, CausalLm.Recompute recompute) {
    int tokens = Math.max(microBatchTokens, maxSampleTokens);
    return CausalLm.trainingBytes(config, dtype, tokens, recompute) + LossHead.bytes(config, dtype, tokens, tokens);
  }

  int layers() {
    return model.config().layers();
  }

  /** Features by the same model, in the memory of this pass; not to be used while it runs. */
  HiddenStates hiddenStates() {
    return new HiddenStates(model, arena, tokenBudget);
  }

  /** Adds the gradients of all samples' losses; returns each sample's scores under the present weights. */
  public List<Scores> backward(List<Sample> samples, TokenLoss loss, float temperature, Gradients gradients) {
    List<Scores> scores = new ArrayList<>(samples.size());
    for (MicroBatch batch : MicroBatch.cut(samples, tokenBudget)) {
      long mark = arena.mark();
      try {
        PackedBatch packed = batch.pack(backend, arena, model.config().vocabSize());
        CausalLm.Activations activations = model.forward(packed, arena, recompute);
        Tensor dNormed = arena.tensor(model.weights().dtype(), packed.tokens(), model.config().hiddenSize());
        Scores all = head.backward(
            activations, dNormed, batch.targetIds(), batch.targets(), batch.inputs(), loss, temperature, gradients, arena);
        model.backward(activations, dNormed, gradients, arena);
        batch.split(all, scores);
      } finally {
        arena.reset(mark);
      }
    }
    return scores;
  }

  /** Log-probs and entropies by the training forward pass, without gradients. */
  public List<Scores> score(List<Sample> samples, float temperature) {
    List<Scores> scores = new ArrayList<>(samples.size());
    for (MicroBatch batch : MicroBatch.cut(samples, tokenBudget)) {
      long mark = arena.mark();
      try {
        PackedBatch packed = batch.pack(backend, arena, model.config().vocabSize());
        CausalLm.Activations activations = model.forward(packed, arena, CausalLm.Recompute.LAYER);
        Scores all = head.score(activations, batch.targetIds(), batch.targets(), temperature, arena);
        batch.split(all, scores);
      } finally {
        arena.reset(mark);
      }
    }
    return scores;
  }

  @Override
  public void close() {
    arena.close();
  }
}
