package io.github.grpo4j.model;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Segments;
import io.github.grpo4j.backend.Tensor;
import java.util.Arrays;
import java.util.List;

/**
 * Several token sequences end to end: no padding exists, so none can leak into a mean. Sequences that begin alike can hold the
 * beginning once: then it is a segment of its own, the parent, and each of them is a segment that goes on from there.
 *
 * @param ids I32 {@code [T]}
 * @param positions I32 {@code [T]}: 0, 1, … within each sequence, so a segment with a parent counts on from it
 * @param segments which rows belong together, on the device
 * @param starts row at which each segment starts, and their end
 * @param parents segment that each one goes on from, or {@link #NO_PARENT}
 * @param workspaceRows that a backward pass needs: for each parent its rows, and as many again for each of its children
 */
public record PackedBatch(Tensor ids, Tensor positions, Segments segments, int[] starts, int[] parents, int workspaceRows) {
  public static final int NO_PARENT = -1;
  /** Most {@link #workspaceRows} of a batch for each of its rows: as much memory as a pass has room for beside its MLP. */
  public static final int MAX_WORKSPACE = 4;

  /** Some tokens, not none, of a sequence that begins with those of segment {@code parent}, which comes earlier, or begins here. */
  public record Segment(int[] ids, int parent) {}

  /** Packs {@code sequences}, each not empty, with every id in {@code [0, vocabSize)}, into tensors of {@code arena}. */
  public static PackedBatch of(Backend backend, Arena arena, List<int[]> sequences, int vocabSize) {
    return ofSegments(backend, arena, sequences.stream().map(ids -> new Segment(ids, NO_PARENT)).toList(), vocabSize);
  }

  /** The same for sequences that share beginnings. A parent itself must have none. */
  public static PackedBatch ofSegments(Backend backend, Arena arena, List<Segment> segments, int vocabSize) {
    int count = segments.size();
    int[] starts = new int[count + 1];
    int[] parents = new int[count];
    int longest = 0;
    for (int b = 0; b < count; b++) {
      Segment segment = segments.get(b);
      if (segment.ids().length == 0) {
        throw new IllegalArgumentException("sequence " + b + " of the batch is empty");
      }
      parents[b] = segment.parent();
      if (parents[b] >= b || (parents[b] >= 0 && parents[parents[b]] >= 0)) {
        throw new IllegalArgumentException("segment " + b + " goes on from segment " + parents[b]
            + ", which does not come before it or has a parent itself");
      }
      starts[b + 1] = starts[b] + segment.ids().length;
      longest = Math.max(longest, prefix(starts, parents, b) + segment.ids().length);
    }
    int[] ids = new int[starts[count]];
    int[] positions = new int[starts[count]];
    for (int b = 0; b < count; b++) {
      int[] segment = segments.get(b).ids();
      for (int i = 0; i < segment.length; i++) {
        ids[starts[b] + i] = checkId(segment[i], vocabSize);
        positions[starts[b] + i] = prefix(starts, parents, b) + i;
      }
    }
    int[] workspace = new int[count];
    int workspaceRows = workspaceRows(starts, parents, workspace);
    boolean shared = workspaceRows > 0;
    return new PackedBatch(ints(backend, arena, ids), ints(backend, arena, positions),
        new Segments(ints(backend, arena, starts), shared ? ints(backend, arena, parents) : null,
            shared ? ints(backend, arena, workspace) : null, longest), starts, parents, workspaceRows);
  }

  /** Fills in the first workspace row of each segment; returns how many there are. */
  private static int workspaceRows(int[] starts, int[] parents, int[] first) {
    Arrays.fill(first, -1);
    int rows = 0;
    for (int b = 0; b < parents.length; b++) {
      int parent = parents[b];
      if (parent >= 0) {
        int shared = starts[parent + 1] - starts[parent];
        if (first[parent] < 0) {
          first[parent] = rows;
          rows += shared;
        }
        first[b] = rows;
        rows += shared;
      }
    }
    return rows;
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

  /** Rows of the batch. */
  public int tokens() {
    return starts[starts.length - 1];
  }

  /** Rows of a segment, its parent's not counted. */
  public int rows(int segment) {
    return starts[segment + 1] - starts[segment];
  }

  /** Position of a segment's first row: the rows of its parent. */
  public int prefix(int segment) {
    return prefix(starts, parents, segment);
  }

  private static int prefix(int[] starts, int[] parents, int segment) {
    int parent = parents[segment];
    return parent < 0 ? 0 : starts[parent + 1] - starts[parent];
  }
}
