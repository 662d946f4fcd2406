package io.github.grpo4j.update;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.HeadLoss;
import io.github.grpo4j.model.HiddenStates;
import io.github.grpo4j.model.LossHead;
import io.github.grpo4j.model.LossHead.Scores;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.PackedBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Forward and backward passes over samples, in packed micro-batches cut by a token budget. A micro-batch is a range of the scored tokens of
 * all samples, end to end. Every token's share of the loss is known over the whole optimizer step beforehand; so loss and gradient do not
 * depend on where the micro-batches are cut, in which order samples come or how they are packed.
 *
 * <p>The prompt of a group goes through the model once a micro-batch, if its samples come one after the other. The budget
 * counts the rows that do.
 */
public final class GradientPass implements AutoCloseable {
  /**
   * A sequence of which the tokens from {@code firstTarget} on are scored.
   *
   * @param ids prompt and completion
   */
  public record Sample(int[] ids, int firstTarget) {
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
  private final boolean ownsArena;

  /**
   * @param microBatchTokens most rows of a micro-batch; a longer sample is one of its own
   * @param maxSampleTokens longest sample
   */
  public GradientPass(CausalLm model, int microBatchTokens, int maxSampleTokens, CausalLm.Recompute recompute) {
    this(model, microBatchTokens, maxSampleTokens, recompute, false);
  }

  /** @param withReference makes room for a reference model that runs beside this one */
  public GradientPass(CausalLm model, int microBatchTokens, int maxSampleTokens, CausalLm.Recompute recompute, boolean withReference) {
    this.model = model;
    this.backend = model.backend();
    this.head = new LossHead(model);
    this.tokenBudget = Math.max(microBatchTokens, maxSampleTokens);
    this.recompute = recompute;
    this.arena = new Arena(backend, bytes(model.config(), model.weights().dtype(), microBatchTokens, maxSampleTokens, recompute)
        + (withReference ? referenceBytes(model.config(), model.weights().dtype(), microBatchTokens, maxSampleTokens) : 0),
        "activations", "training.micro_batch_tokens or training.recompute");
    this.ownsArena = true;
  }

  private GradientPass(GradientPass other, CausalLm model) {
    this.model = model;
    this.backend = model.backend();
    this.head = new LossHead(model);
    this.tokenBudget = other.tokenBudget;
    this.recompute = other.recompute;
    this.arena = other.arena;
    this.ownsArena = false;
  }

  /** A pass of another model of the same shape and type in this one's memory: they run one after the other, and this one is closed last. */
  GradientPass withModel(CausalLm other) {
    return new GradientPass(this, other);
  }

  Backend backend() {
    return backend;
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

  /** Bytes that a pass takes in addition where a reference model runs beside it. */
  public static long referenceBytes(ModelConfig config, DType dtype, int microBatchTokens, int maxSampleTokens) {
    int tokens = Math.max(microBatchTokens, maxSampleTokens);
    return CausalLm.trainingBytes(config, dtype, tokens, CausalLm.Recompute.LAYER) + LossHead.referenceBytes(config, dtype, tokens);
  }

  /** Adds the gradients of all samples' losses. */
  public void backward(List<Sample> samples, HeadLoss loss, Gradients gradients) {
    backward(samples, loss, null, gradients);
  }

  /** @param reference runs beside the model where the loss looks at its logits; null elsewhere */
  void backward(List<Sample> samples, HeadLoss loss, ReferencePolicy reference, Gradients gradients) {
    forEachBatch(samples, (batch, packed, first) -> {
      LossHead.Reference beside = reference == null ? null : reference.forward(packed, arena);
      CausalLm.Activations activations = model.forward(packed, arena, recompute);
      Tensor dNormed = arena.tensor(model.weights().dtype(), packed.tokens(), model.config().hiddenSize());
      head.backward(activations, dNormed, batch.targetIds(), batch.targets(), first, loss, beside, gradients, arena);
      model.backward(activations, dNormed, gradients, arena);
    });
  }

  /** Log-probs and entropies of each sample by the training forward pass, without gradients. */
  public List<Scores> score(List<Sample> samples, float temperature) {
    int tokens = samples.stream().mapToInt(Sample::targets).sum();
    Scores all = new Scores(new float[tokens], new float[tokens]);
    score(samples, temperature, all);
    List<Scores> each = new ArrayList<>(samples.size());
    int from = 0;
    for (Sample sample : samples) {
      int to = from + sample.targets();
      each.add(new Scores(Arrays.copyOfRange(all.logprob(), from, to), Arrays.copyOfRange(all.entropy(), from, to)));
      from = to;
    }
    return each;
  }

  /** The same, end to end. */
  void score(List<Sample> samples, float temperature, Scores into) {
    forEachBatch(samples, (batch, packed, first) -> {
      CausalLm.Activations activations = model.forward(packed, arena, CausalLm.Recompute.LAYER);
      head.score(activations, batch.targetIds(), batch.targets(), temperature, into, first, arena);
    });
  }

  private interface BatchPass {
    /** @param first number of the batch's first scored token among those of all samples */
    void run(MicroBatch batch, PackedBatch packed, int first);
  }

  private void forEachBatch(List<Sample> samples, BatchPass pass) {
    int first = 0;
    for (MicroBatch batch : MicroBatch.cut(samples, tokenBudget)) {
      long mark = arena.mark();
      try {
        pass.run(batch, batch.pack(backend, arena, model.config().vocabSize()), first);
      } finally {
        arena.reset(mark);
      }
      first += batch.tokens();
    }
  }

  @Override
  public void close() {
    if (ownsArena) {
      arena.close();
    }
  }
}
