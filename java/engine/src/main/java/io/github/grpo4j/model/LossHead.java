package io.github.grpo4j.model;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.backend.TokenInputs;
import io.github.grpo4j.backend.TokenLoss;
import java.util.Arrays;

/**
 * Head, log-prob, entropy, loss and their gradients in one pass over chunks of rows, so that logits {@code [T, V]} never
 * exist: extra memory is {@link #LOGITS_BYTES} whatever the batch.
 *
 * <p>A row of the head predicts the token that follows it. Each segment contributes the rows of its scored tokens, which
 * lie side by side; they are gathered, so tokens without loss (prompts) cost nothing here.
 */
public final class LossHead {
  /** Logits in flight. Chunks much smaller than this would make the gradient of the head memory-bound. */
  public static final long LOGITS_BYTES = 128L << 20;

  /**
   * Scored tokens of a packed batch: of the sequence that ends with segment b those at positions
   * {@code first[b] … first[b] + count[b] - 1}. Each is predicted by the row before it, which must be one of the segment's own;
   * so the first token of a sequence cannot be scored, and the last need not be in the batch.
   */
  public record Targets(int[] first, int[] count) {
    public int total() {
      return Arrays.stream(count).sum();
    }
  }

  /**
   * Per-token inputs of the loss, in the order of {@link Targets}; see {@link TokenInputs} for their meaning and which may be
   * null.
   */
  public record Inputs(float[] weight, float[] advantage, float[] oldLogprob, float[] refLogprob, float[] clipLow, float[] clipHigh) {
    /** d loss / d log-prob is given per token. */
    public static Inputs linear(float[] dLogprob) {
      return new Inputs(dLogprob, null, null, null, null, null);
    }
  }

  /** Log-prob and entropy (nats) of each scored token. */
  public record Scores(float[] logprob, float[] entropy) {}

  private final CausalLm model;
  private final Backend backend;
  private final int vocabSize;

  public LossHead(CausalLm model) {
    this.model = model;
    this.backend = model.backend();
    this.vocabSize = model.config().vocabSize();
  }

  /** Rows of one chunk. */
  public static int chunkRows(int vocabSize) {
    return (int) Math.max(1, Math.min(4096, LOGITS_BYTES / (4L * vocabSize)));
  }

  /** Arena bytes of a call with {@code rows} scored tokens of {@code tokens}. */
  public static long bytes(ModelConfig config, DType dtype, long tokens, long rows) {
    long chunk = Math.min(rows, chunkRows(config.vocabSize()));
    return 2 * Arena.sizeOf(dtype, rows, config.hiddenSize()) + Arena.sizeOf(dtype, tokens, config.hiddenSize())
        + Arena.sizeOf(DType.F32, chunk, config.vocabSize()) + 12 * Arena.sizeOf(DType.F32, rows);
  }

  /** Log-probs and entropies at {@code temperature}, without gradients. */
  public Scores score(CausalLm.Activations activations, int[] targetIds, Targets targets, float temperature, Arena arena) {
    int rows = targets.total();
    long mark = arena.mark();
    Tensor hidden = gather(activations, targets, arena);
    Tensor ids = targetTensor(targetIds, rows, arena);
    Tensor logprob = arena.tensor(DType.F32, rows);
    Tensor entropy = arena.tensor(DType.F32, rows);
    int chunk = Math.min(rows, chunkRows(vocabSize));
    Tensor logits = arena.tensor(DType.F32, chunk, vocabSize);
    for (int row = 0; row < rows; row += chunk) {
      int n = Math.min(chunk, rows - row);
      Tensor part = logits.rows(0, n);
      model.logits(part, hidden.rows(row, n));
      backend.logprob(logprob.rows(row, n), entropy.rows(row, n), null, part, ids.rows(row, n), 1 / temperature);
    }
    Scores scores = download(logprob, entropy, rows);
    arena.reset(mark);
    return scores;
  }

  /**
   * The loss's gradient: adds that of the head to {@code gradients} and writes that of the normed hidden states to
   * dNormed {@code [T, H]} (zero where no token is scored).
   */
  public Scores backward(CausalLm.Activations activations, Tensor dNormed, int[] targetIds, Targets targets, Inputs inputs,
      TokenLoss loss, float temperature, Gradients gradients, Arena arena) {
    int rows = targets.total();
    long mark = arena.mark();
    Tensor hidden = gather(activations, targets, arena);
    Tensor dHidden = arena.tensor(hidden.dtype(), rows, hidden.dim(1));
    Tensor ids = targetTensor(targetIds, rows, arena);
    Tensor logprob = arena.tensor(DType.F32, rows);
    Tensor entropy = arena.tensor(DType.F32, rows);
    Tensor dLogprob = arena.tensor(DType.F32, rows);
    TokenInputs all = upload(inputs, rows, arena);
    Tensor head = model.weights().head().weight();
    Tensor headGradient = gradients.of(model.weights().head());
    int chunk = Math.min(rows, chunkRows(vocabSize));
    Tensor logits = arena.tensor(DType.F32, chunk, vocabSize);
    for (int row = 0; row < rows; row += chunk) {
      int n = Math.min(chunk, rows - row);
      Tensor part = logits.rows(0, n);
      Tensor hiddenPart = hidden.rows(row, n);
      model.logits(part, hiddenPart);
      backend.policyLoss(logprob.rows(row, n), entropy.rows(row, n), dLogprob.rows(row, n), part, ids.rows(row, n),
          slice(all, row, n), 1 / temperature, loss);
      backend.linearBackwardInput(dHidden.rows(row, n), part, head, false);
      backend.linearBackwardWeight(headGradient, null, part, hiddenPart);
    }
    scatter(dNormed, dHidden, activations, targets);
    Scores scores = download(logprob, entropy, rows);
    arena.reset(mark);
    return scores;
  }

  /** The rows that predict the scored tokens, segment by segment. */
  private Tensor gather(CausalLm.Activations activations, Targets targets, Arena arena) {
    Tensor normed = activations.normed();
    Tensor gathered = arena.tensor(normed.dtype(), targets.total(), normed.dim(1));
    forEachRun(activations, targets, (from, to, n) -> backend.copy(gathered.rows(to, n), normed.rows(from, n)));
    return gathered;
  }

  private void scatter(Tensor dNormed, Tensor dHidden, CausalLm.Activations activations, Targets targets) {
    backend.zero(dNormed);
    forEachRun(activations, targets, (to, from, n) -> backend.copy(dNormed.rows(to, n), dHidden.rows(from, n)));
  }

  private interface Run {
    void accept(int batchRow, int targetRow, int count);
  }

  private static void forEachRun(CausalLm.Activations activations, Targets targets, Run run) {
    PackedBatch batch = activations.batch();
    int targetRow = 0;
    for (int b = 0; b < targets.first().length; b++) {
      int count = targets.count()[b];
      if (count == 0) {
        continue;
      }
      int row = targets.first()[b] - 1 - batch.prefix(b);
      if (row < 0 || row + count > batch.rows(b)) {
        throw new IllegalArgumentException("scored tokens " + targets.first()[b] + " to " + (targets.first()[b] + count) + " of segment "
            + b + ", whose rows are at positions " + batch.prefix(b) + " to " + (batch.prefix(b) + batch.rows(b)));
      }
      run.accept(batch.starts()[b] + row, targetRow, count);
      targetRow += count;
    }
  }

  private Tensor targetTensor(int[] targetIds, int rows, Arena arena) {
    if (targetIds.length != rows) {
      throw new IllegalArgumentException(targetIds.length + " target ids for " + rows + " scored tokens");
    }
    for (int id : targetIds) {
      PackedBatch.checkId(id, vocabSize);
    }
    return PackedBatch.ints(backend, arena, targetIds);
  }

  private TokenInputs upload(Inputs inputs, int rows, Arena arena) {
    return new TokenInputs(floats(inputs.weight(), rows, arena), floats(inputs.advantage(), rows, arena),
        floats(inputs.oldLogprob(), rows, arena), floats(inputs.refLogprob(), rows, arena),
        floats(inputs.clipLow(), rows, arena), floats(inputs.clipHigh(), rows, arena));
  }

  private Tensor floats(float[] values, int rows, Arena arena) {
    if (values == null) {
      return null;
    }
    Tensor tensor = arena.tensor(DType.F32, rows);
    backend.upload(tensor, values, 0);
    return tensor;
  }

  private static TokenInputs slice(TokenInputs all, int row, int n) {
    return new TokenInputs(part(all.weight(), row, n), part(all.advantage(), row, n), part(all.oldLogprob(), row, n),
        part(all.refLogprob(), row, n), part(all.clipLow(), row, n), part(all.clipHigh(), row, n));
  }

  private static Tensor part(Tensor tensor, int row, int n) {
    return tensor == null ? null : tensor.rows(row, n);
  }

  private Scores download(Tensor logprob, Tensor entropy, int rows) {
    Scores scores = new Scores(new float[rows], new float[rows]);
    backend.download(logprob, scores.logprob(), 0);
    backend.download(entropy, scores.entropy(), 0);
    return scores;
  }
}
