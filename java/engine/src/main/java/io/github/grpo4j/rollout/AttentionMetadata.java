package io.github.grpo4j.rollout;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.model.KvCache;

/** Attention metadata of one forward pass of generation: positions, cache slots and block tables, filled row by row and uploaded as one. */
final class AttentionMetadata {
  /** Tensors begin at multiples of 64 bytes. */
  private static final int ALIGNMENT = 16;
  private static final int IDS = 0;

  private final int rows;
  private final int sequences;
  private final int maxBlocks;
  private final int[] words;
  private final int positions;
  private final int slots;
  private final int cuQ;
  private final int kvLens;
  private final int blockTable;
  private int row;
  private int sequence;

  AttentionMetadata(int rows, int sequences, int maxBlocks) {
    this.rows = rows;
    this.sequences = sequences;
    this.maxBlocks = maxBlocks;
    this.positions = IDS + aligned(rows);
    this.slots = positions + aligned(rows);
    this.cuQ = slots + aligned(rows);
    this.kvLens = cuQ + aligned(sequences + 1);
    this.blockTable = kvLens + aligned(sequences);
    this.words = new int[words(rows, sequences, maxBlocks)];
  }

  static int aligned(int count) {
    return (count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  private static int words(int rows, int sequences, int maxBlocks) {
    return 3 * aligned(rows) + aligned(sequences + 1) + aligned(sequences) + sequences * maxBlocks;
  }

  /** Bytes of the arena that {@link #upload} takes for as many rows and sequences, or fewer. */
  static long bytes(int rows, int sequences, int maxBlocks) {
    return Arena.sizeOf(DType.I32, words(rows, sequences, maxBlocks));
  }

  void addRow(int id, int position, int slot) {
    words[IDS + row] = id;
    words[positions + row] = position;
    words[slots + row] = slot;
    row++;
  }

  /** Ends the sequence that the rows added since the last call belong to. */
  void endSequence(int[] blocks, int blockCount, int kvLength) {
    System.arraycopy(blocks, 0, words, blockTable + sequence * maxBlocks, blockCount);
    words[kvLens + sequence] = kvLength;
    sequence++;
    words[cuQ + sequence] = row;
  }

  KvCache.Step upload(Backend backend, Arena arena) {
    Tensor all = arena.tensor(DType.I32, words.length);
    backend.upload(all, words, 0);
    return new KvCache.Step(all.rows(IDS, rows), all.rows(positions, rows), all.rows(slots, rows),
        all.rows(blockTable, (long) sequences * maxBlocks).reshape(sequences, maxBlocks), all.rows(cuQ, sequences + 1),
        all.rows(kvLens, sequences));
  }
}
