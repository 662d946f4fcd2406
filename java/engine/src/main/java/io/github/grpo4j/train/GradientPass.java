package io.github.grpo4j.train;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.backend.TokenLoss;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.LossHead;
import io.github.grpo4j.model.LossHead.Inputs;
import io.github.grpo4j.model.LossHead.Scores;
import io.github.grpo4j.model.LossHead.Targets;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.PackedBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/**
 * Forward and backward passes over samples, in packed micro-batches cut by a token budget. Every token's share of the loss
 * comes with it ({@link Inputs#weight}), computed over the whole optimizer step beforehand; so loss and gradient do not
 * depend on where the micro-batches are cut, in which order samples come or how they are packed.
 */
public final class GradientPass implements AutoCloseable {
  /**
   * A sequence of which the tokens from {@code firstTarget} on are scored.
   *
   * @param ids prompt and answer
   * @param inputs of the scored tokens; null where only scores are wanted
   */
  public record Sample(int[] ids, int firstTarget, Inputs inputs) {
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
   * @param microBatchTokens most tokens of a micro-batch; a longer sample is one of its own
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

  /** Adds the gradients of all samples' losses; returns each sample's scores under the present weights. */
  public List<Scores> backward(List<Sample> samples, TokenLoss loss, float temperature, Gradients gradients) {
    List<Scores> scores = new ArrayList<>(samples.size());
    for (List<Sample> batch : cut(samples)) {
      long mark = arena.mark();
      try {
        PackedBatch packed = pack(batch);
        CausalLm.Activations activations = model.forward(packed, arena, recompute);
        Tensor dNormed = arena.tensor(model.weights().dtype(), packed.tokens(), model.config().hiddenSize());
        Scores all = head.backward(activations, dNormed, targetIds(batch), targets(batch), join(batch), loss, temperature, gradients, arena);
        model.backward(activations, dNormed, gradients, arena);
        split(all, batch, scores);
      } finally {
        arena.reset(mark);
      }
    }
    return scores;
  }

  /** Log-probs and entropies by the training forward pass, without gradients. */
  public List<Scores> score(List<Sample> samples, float temperature) {
    List<Scores> scores = new ArrayList<>(samples.size());
    for (List<Sample> batch : cut(samples)) {
      long mark = arena.mark();
      try {
        CausalLm.Activations activations = model.forward(pack(batch), arena, CausalLm.Recompute.LAYER);
        Scores all = head.score(activations, targetIds(batch), targets(batch), temperature, arena);
        split(all, batch, scores);
      } finally {
        arena.reset(mark);
      }
    }
    return scores;
  }

  private List<List<Sample>> cut(List<Sample> samples) {
    List<List<Sample>> batches = new ArrayList<>();
    List<Sample> batch = new ArrayList<>();
    int tokens = 0;
    for (Sample sample : samples) {
      if (!batch.isEmpty() && tokens + sample.ids().length > tokenBudget) {
        batches.add(batch);
        batch = new ArrayList<>();
        tokens = 0;
      }
      batch.add(sample);
      tokens += sample.ids().length;
    }
    if (!batch.isEmpty()) {
      batches.add(batch);
    }
    return batches;
  }

  private PackedBatch pack(List<Sample> batch) {
    return PackedBatch.of(backend, arena, batch.stream().map(Sample::ids).toList(), model.config().vocabSize());
  }

  private static Targets targets(List<Sample> batch) {
    return new Targets(batch.stream().mapToInt(Sample::firstTarget).toArray(), batch.stream().mapToInt(Sample::targets).toArray());
  }

  private static int[] targetIds(List<Sample> batch) {
    return batch.stream().flatMapToInt(s -> Arrays.stream(s.ids(), s.firstTarget(), s.ids().length)).toArray();
  }

  private static Inputs join(List<Sample> batch) {
    return new Inputs(join(batch, Inputs::weight), join(batch, Inputs::advantage), join(batch, Inputs::oldLogprob),
        join(batch, Inputs::refLogprob), join(batch, Inputs::clipLow), join(batch, Inputs::clipHigh));
  }

  /** Null where the samples leave the field out. */
  private static float[] join(List<Sample> batch, Function<Inputs, float[]> field) {
    if (field.apply(batch.get(0).inputs()) == null) {
      return null;
    }
    float[] joined = new float[batch.stream().mapToInt(Sample::targets).sum()];
    int offset = 0;
    for (Sample sample : batch) {
      float[] values = field.apply(sample.inputs());
      System.arraycopy(values, 0, joined, offset, values.length);
      offset += values.length;
    }
    return joined;
  }

  private static void split(Scores all, List<Sample> batch, List<Scores> into) {
    int offset = 0;
    for (Sample sample : batch) {
      int end = offset + sample.targets();
      into.add(new Scores(Arrays.copyOfRange(all.logprob(), offset, end), Arrays.copyOfRange(all.entropy(), offset, end)));
      offset = end;
    }
  }

  @Override
  public void close() {
    arena.close();
  }
}
