package io.github.grpo4j.rollout;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.model.KvCache;

/** The index arrays of one forward pass of generation, filled row by row on the host. */
final class StepArrays {
  private final int[] ids;
  private final int[] positions;
  private final int[] slots;
  private final int[] blockTable;
  private final int[] cuQ;
  private final int[] kvLens;
  private final int maxBlocks;
  private int row;
  private int sequence;

  StepArrays(int rows, int sequences, int maxBlocks) {
    this.ids = new int[rows];
    this.positions = new int[rows];
    this.slots = new int[rows];
    this.blockTable = new int[sequences * maxBlocks];
    this.cuQ = new int[sequences + 1];
    this.kvLens = new int[sequences];
    this.maxBlocks = maxBlocks;
  }

  void addRow(int id, int position, int slot) {
    ids[row] = id;
    positions[row] = position;
    slots[row] = slot;
    row++;
  }

  /** Ends the sequence that the rows added since the last call belong to. */
  void endSequence(int[] blocks, int blockCount, int kvLength) {
    System.arraycopy(blocks, 0, blockTable, sequence * maxBlocks, blockCount);
    kvLens[sequence] = kvLength;
    sequence++;
    cuQ[sequence] = row;
  }

  KvCache.Step upload(Backend backend, Arena arena) {
    Tensor table = arena.tensor(DType.I32, sequence, maxBlocks);
    backend.upload(table, blockTable, 0);
    return new KvCache.Step(vector(backend, arena, ids), vector(backend, arena, positions), vector(backend, arena, slots),
        table, vector(backend, arena, cuQ), vector(backend, arena, kvLens));
  }

  private static Tensor vector(Backend backend, Arena arena, int[] values) {
    Tensor tensor = arena.tensor(DType.I32, values.length);
    backend.upload(tensor, values, 0);
    return tensor;
  }
}
