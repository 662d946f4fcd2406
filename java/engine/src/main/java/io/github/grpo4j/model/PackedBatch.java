package io.github.grpo4j.model;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import java.util.List;

/**
 * Several token sequences end to end: no padding exists, so none can leak into a mean.
 *
 * @param ids I32 {@code [T]}
 * @param positions I32 {@code [T]}: 0, 1, … within each sequence
 * @param cuSeqlens I32 {@code [sequences + 1]}: row at which each sequence starts
 * @param starts the same offsets on the host
 */
public record PackedBatch(Tensor ids, Tensor positions, Tensor cuSeqlens, int[] starts, int maxSeqlen) {
  /** Packs {@code sequences}, each not empty, with every id in {@code [0, vocabSize)}, into tensors of {@code arena}. */
  public static PackedBatch of(Backend backend, Arena arena, List<int[]> sequences, int vocabSize) {
    int[] starts = new int[sequences.size() + 1];
    int longest = 0;
    for (int b = 0; b < sequences.size(); b++) {
      int length = sequences.get(b).length;
      if (length == 0) {
        throw new IllegalArgumentException("sequence " + b + " of the batch is empty");
      }
      starts[b + 1] = starts[b] + length;
      longest = Math.max(longest, length);
    }
    int tokens = starts[sequences.size()];
    int[] ids = new int[tokens];
    int[] positions = new int[tokens];
    for (int b = 0; b < sequences.size(); b++) {
      int[] sequence = sequences.get(b);
      for (int i = 0; i < sequence.length; i++) {
        ids[starts[b] + i] = checkId(sequence[i], vocabSize);
        positions[starts[b] + i] = i;
      }
    }
    return new PackedBatch(
        ints(backend, arena, ids), ints(backend, arena, positions), ints(backend, arena, starts), starts, longest);
  }

  /** Kernels index by token id without looking, so an id outside the vocabulary must not reach them. */
  public static int checkId(int id, int vocabSize) {
    if (id < 0 || id >= vocabSize) {
      throw new IllegalArgumentException("token id " + id + " is outside the model's vocabulary of " + vocabSize
          + "; do tokenizer and model belong together?");
    }
    return id;
  }

  static Tensor ints(Backend backend, Arena arena, int[] values) {
    Tensor tensor = arena.tensor(DType.I32, values.length);
    backend.upload(tensor, values, 0);
    return tensor;
  }

  public int tokens() {
    return starts[starts.length - 1];
  }

  public int sequences() {
    return starts.length - 1;
  }
}
