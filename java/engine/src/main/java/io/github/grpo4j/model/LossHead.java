package io.github.grpo4j.model;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Head, log-prob, entropy, loss and their gradients in one pass over chunks of rows, so that logits {@code [T, V]} never
 * exist: extra memory is {@link #LOGITS_BYTES} whatever the batch.
 *
 * <p>A row of the head predicts the token that follows it. Each segment contributes the rows of its scored tokens, which
 * lie side by side; they are gathered, so tokens without loss (prompts) cost nothing here.
 */
public final class LossHead {
  /** Most F32 columns that a {@link HeadLoss} may take in the arena, one value for each scored token. */
  public static final int COLUMNS = 10;

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
        + Arena.sizeOf(DType.F32, chunk, config.vocabSize()) + (COLUMNS + 2) * Arena.sizeOf(DType.F32, rows);
  }

  /** Arena bytes that a reference beside the model takes in addition. */
  public static long referenceBytes(ModelConfig config, DType dtype, long rows) {
    long chunk = Math.min(rows, chunkRows(config.vocabSize()));
    return Arena.sizeOf(dtype, rows, config.hiddenSize()) + Arena.sizeOf(DType.F32, chunk, config.vocabSize());
  }

  /** Log-probs and entropies at {@code temperature}, without gradients. */
  public Scores score(CausalLm.Activations activations, int[] targetIds, Targets targets, float temperature, Arena arena) {
    Scores scores = new Scores(new float[targets.total()], new float[targets.total()]);
    score(activations, targetIds, targets, temperature, scores, 0, arena);
    return scores;
  }

  /** Writes them behind one another, from element {@code offset} on. */
  public void score(CausalLm.Activations activations, int[] targetIds, Targets targets, float temperature, Scores into, int offset,
      Arena arena) {
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
    if (rows > 0) {
      backend.download(logprob, into.logprob(), offset);
      backend.download(entropy, into.entropy(), offset);
    }
    arena.reset(mark);
  }

  /** A frozen model that has seen the same batch. */
  public record Reference(CausalLm model, CausalLm.Activations activations) {}

  /**
   * The loss's gradient: adds that of the head to {@code gradients} and writes that of the normed hidden states to
   * dNormed {@code [T, H]} (zero where no token is scored).
   *
   * @param first number of the batch's first scored token in the optimizer step
   * @param reference whose logits the loss sees beside the model's; null: none
   */
  public void backward(CausalLm.Activations activations, Tensor dNormed, int[] targetIds, Targets targets, int first, HeadLoss loss,
      Reference reference, Gradients gradients, Arena arena) {
    int rows = targets.total();
    long mark = arena.mark();
    Tensor hidden = gather(activations, targets, arena);
    Tensor refHidden = reference == null ? null : gather(reference.activations(), targets, arena);
    Tensor dHidden = arena.tensor(hidden.dtype(), rows, hidden.dim(1));
    Tensor ids = targetTensor(targetIds, rows, arena);
    Tensor head = model.weights().head().weight();
    Tensor headGradient = gradients.of(model.weights().head());
    int chunk = Math.min(rows, chunkRows(vocabSize));
    Tensor logits = arena.tensor(DType.F32, chunk, vocabSize);
    Tensor refLogits = reference == null ? null : arena.tensor(DType.F32, chunk, vocabSize);
    List<HeadLoss.Chunk> chunks = new ArrayList<>();
    for (int row = 0; row < rows; row += chunk) {
      int n = Math.min(chunk, rows - row);
      chunks.add(new HeadLoss.Chunk(row, logits.rows(0, n), refLogits == null ? null : refLogits.rows(0, n), ids.rows(row, n)));
    }
    if (rows > 0) {
      loss.begin(first, rows, arena);
      if (loss.needsAllScores()) {
        for (HeadLoss.Chunk part : chunks) {
          fillLogits(part, hidden, reference, refHidden);
          loss.score(part);
        }
        loss.scored();
      }
      for (HeadLoss.Chunk part : chunks) {
        if (!loss.needsAllScores() || chunks.size() > 1) {
          fillLogits(part, hidden, reference, refHidden);
        }
        loss.gradient(part);
        backend.linearBackwardInput(dHidden.rows(part.row(), part.tokens()), part.logits(), head, false);
        backend.linearBackwardWeight(headGradient, null, part.logits(), hidden.rows(part.row(), part.tokens()));
      }
      loss.end();
    }
    scatter(dNormed, dHidden, activations, targets);
    arena.reset(mark);
  }

  private void fillLogits(HeadLoss.Chunk chunk, Tensor hidden, Reference reference, Tensor refHidden) {
    model.logits(chunk.logits(), hidden.rows(chunk.row(), chunk.tokens()));
    if (reference != null) {
      reference.model().logits(chunk.refLogits(), refHidden.rows(chunk.row(), chunk.tokens()));
    }
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
}
