package io.github.grpo4j.rollout;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;

/** Inputs of sampling beside the logits: counters of the random numbers and places in the history, one row a sequence, uploaded as one. */
final class SamplingInputs {
  private final int rows;
  private final int historyColumns;
  private final int historyAt;
  private final int historyStart;
  private final int[] words;
  private int row;

  /**
   * @param counters I32 {@code [rows, 4]}
   * @param historyAt I32 {@code [rows]}: where the row's input token goes in the history, -1 for padding
   * @param historyStart I32 {@code [rows + 1]}
   */
  record Uploaded(Tensor counters, Tensor historyAt, Tensor historyStart) {}

  /** @param historyColumns tokens that the history has room for in each row */
  SamplingInputs(int rows, int historyColumns) {
    this.rows = rows;
    this.historyColumns = historyColumns;
    this.historyAt = AttentionMetadata.aligned(4 * rows);
    this.historyStart = historyAt + AttentionMetadata.aligned(rows);
    this.words = new int[words(rows)];
    for (int r = 0; r < rows; r++) {
      words[historyAt + r] = -1;
      words[historyStart + r + 1] = (r + 1) * historyColumns;
    }
  }

  private static int words(int rows) {
    return AttentionMetadata.aligned(4 * rows) + AttentionMetadata.aligned(rows) + AttentionMetadata.aligned(rows + 1);
  }

  /** Bytes of the arena that {@link #upload} takes for as many rows, or fewer. */
  static long bytes(int rows) {
    return Arena.sizeOf(DType.I32, words(rows));
  }

  /** The random numbers of a row are keyed by the first four; the input token is at {@code position} of its sequence. */
  void addRow(int step, int problem, int completion, int sampled, int position) {
    words[4 * row] = step;
    words[4 * row + 1] = problem;
    words[4 * row + 2] = completion;
    words[4 * row + 3] = sampled;
    words[historyAt + row] = row * historyColumns + position;
    row++;
  }

  Uploaded upload(Backend backend, Arena arena) {
    Tensor all = arena.tensor(DType.I32, words.length);
    backend.upload(all, words, 0);
    return new Uploaded(all.rows(0, 4L * rows).reshape(rows, 4), all.rows(historyAt, rows), all.rows(historyStart, rows + 1));
  }
}
