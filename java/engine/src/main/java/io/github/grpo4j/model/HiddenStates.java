package io.github.grpo4j.model;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import java.util.List;
import java.util.function.ToIntFunction;

/**
 * Features of sequences: hidden states of a model after some of its blocks, pooled over tokens. Sequences go through the model packed, in
 * micro-batches cut by a token budget; each one's features are the same bits whatever is packed beside it. Sums are in double precision.
 */
public final class HiddenStates {
  /**
   * A sequence of which the tokens from {@code from} on are pooled; those before are context.
   *
   * @param ids at least one token more than {@code from}
   */
  public record Span(int[] ids, int from) {
    public Span {
      if (from < 0 || from >= ids.length) {
        throw new IllegalArgumentException("a sequence of " + ids.length + " tokens has none from token " + from + " on to be pooled");
      }
    }
  }

  private final CausalLm model;
  private final Arena arena;
  private final int tokenBudget;

  /**
   * @param arena to work in, of {@link #bytes} free bytes; stays the caller's
   * @param tokenBudget most rows of a micro-batch; a longer sequence is one of its own
   */
  public HiddenStates(CausalLm model, Arena arena, int tokenBudget) {
    this.model = model;
    this.arena = arena;
    this.tokenBudget = tokenBudget;
  }

  /** Arena bytes for micro-batches of up to {@code tokens} rows; never more than a training pass over as many takes. */
  public static long bytes(ModelConfig config, DType dtype, int tokens) {
    return CausalLm.hiddenBytes(config, dtype, tokens) + (dtype == DType.F32 ? 0 : Arena.sizeOf(DType.F32, tokens, config.hiddenSize()));
  }

  /** Mean hidden state of each sequence's pooled tokens after {@code depth} blocks {@code [N][H]}. */
  public float[][] mean(List<Span> spans, int depth) {
    return pooled(spans, depth, Span::from);
  }

  /** Hidden state of each sequence's last token after {@code depth} blocks {@code [N][H]}. */
  public float[][] last(List<Span> spans, int depth) {
    return pooled(spans, depth, span -> span.ids().length - 1);
  }

  /** @param first token of the mean; the mean of one token is that token */
  private float[][] pooled(List<Span> spans, int depth, ToIntFunction<Span> first) {
    float[][] features = new float[spans.size()][];
    int next = 0;
    while (next < spans.size()) {
      int end = end(spans, next);
      long mark = arena.mark();
      try {
        List<Span> batch = spans.subList(next, end);
        Tensor hidden = hidden(batch, depth);
        long row = 0;
        for (Span span : batch) {
          int from = first.applyAsInt(span);
          features[next++] = mean(hidden.rows(row + from, span.ids().length - from));
          row += span.ids().length;
        }
      } finally {
        arena.reset(mark);
      }
    }
    return features;
  }

  /** Where the micro-batch that begins at {@code first} ends. */
  private int end(List<Span> spans, int first) {
    int end = first + 1;
    long rows = spans.get(first).ids().length;
    while (end < spans.size() && rows + spans.get(end).ids().length <= tokenBudget) {
      rows += spans.get(end).ids().length;
      end++;
    }
    return end;
  }

  /** In F32, whatever the model is stored in. */
  private Tensor hidden(List<Span> batch, int depth) {
    Backend backend = model.backend();
    PackedBatch packed = PackedBatch.of(backend, arena, batch.stream().map(Span::ids).toList(), model.config().vocabSize());
    Tensor hidden = model.hidden(packed, depth, arena);
    if (hidden.dtype() == DType.F32) {
      return hidden;
    }
    Tensor wide = arena.tensor(DType.F32, packed.tokens(), model.config().hiddenSize());
    backend.cast(wide, hidden);
    return wide;
  }

  private float[] mean(Tensor rows) {
    int columns = Math.toIntExact(rows.columns());
    int count = Math.toIntExact(rows.rows());
    float[] values = new float[count * columns];
    model.backend().download(rows, values, 0);
    float[] mean = new float[columns];
    for (int h = 0; h < columns; h++) {
      double sum = 0;
      for (int t = 0; t < count; t++) {
        sum += values[t * columns + h];
      }
      mean[h] = (float) (sum / count);
    }
    return mean;
  }
}
