package io.github.grpo4j.update;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.model.LossHead.Targets;
import io.github.grpo4j.model.PackedBatch;
import io.github.grpo4j.model.PackedBatch.Segment;
import io.github.grpo4j.update.GradientPass.Sample;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/**
 * Samples that go through the model together. Neighbours with the same prompt, as the completions of a group are, share its rows:
 *
 * <pre>
 *   prompt p0 … pn, completions a0 a1 a2 and b0 b1:   parent [p0 … pn-1], children [pn a0 a1] and [pn b0]
 * </pre>
 *
 * The last token of the prompt is repeated, since its row predicts a different token for every completion; so the rows of a
 * completion's targets lie side by side in one segment. The last token of a sample is only a target: nothing follows from its row.
 */
final class MicroBatch {
  private final List<Sample> samples = new ArrayList<>();
  /** How many neighbours share a prompt, prompt by prompt. */
  private final List<Integer> groups = new ArrayList<>();
  private int rows;
  private int workspaceRows;

  private MicroBatch() {}

  /** Cuts {@code samples} where the next one would not fit any more; a sample of more than {@code maxRows} is one of its own. */
  static List<MicroBatch> cut(List<Sample> samples, int maxRows) {
    List<MicroBatch> batches = new ArrayList<>();
    MicroBatch batch = new MicroBatch();
    for (Sample sample : samples) {
      if (!batch.samples.isEmpty() && !batch.fits(sample, maxRows)) {
        batches.add(batch);
        batch = new MicroBatch();
      }
      batch.add(sample);
    }
    if (!batch.samples.isEmpty()) {
      batches.add(batch);
    }
    return batches;
  }

  private boolean fits(Sample sample, int maxRows) {
    return rows + newRows(sample) <= maxRows && workspaceRows + newWorkspaceRows(sample) <= (long) PackedBatch.MAX_WORKSPACE * maxRows;
  }

  private void add(Sample sample) {
    rows += newRows(sample);
    workspaceRows += newWorkspaceRows(sample);
    if (joinsGroup(sample)) {
      groups.set(groups.size() - 1, groups.get(groups.size() - 1) + 1);
    } else {
      groups.add(1);
    }
    samples.add(sample);
  }

  private boolean joinsGroup(Sample sample) {
    if (samples.isEmpty()) {
      return false;
    }
    Sample last = samples.get(samples.size() - 1);
    int prompt = sample.firstTarget();
    return prompt > 1 && prompt == last.firstTarget() && Arrays.equals(sample.ids(), 0, prompt, last.ids(), 0, prompt);
  }

  private int newRows(Sample sample) {
    return rowsEnd(sample) - (joinsGroup(sample) ? sharedRows(sample) : 0);
  }

  /** The second sample of a group makes its prompt a parent; every child has sums of its own. */
  private int newWorkspaceRows(Sample sample) {
    if (!joinsGroup(sample)) {
      return 0;
    }
    boolean second = groups.get(groups.size() - 1) == 1;
    return (second ? 3 : 1) * sharedRows(sample);
  }

  private static int sharedRows(Sample sample) {
    return sample.firstTarget() - 1;
  }

  /** End of the tokens that need a row: without targets there is nothing to leave out. */
  private static int rowsEnd(Sample sample) {
    return sample.targets() > 0 ? sample.ids().length - 1 : sample.ids().length;
  }

  PackedBatch pack(Backend backend, Arena arena, int vocabSize) {
    List<Segment> segments = new ArrayList<>();
    forEachGroup(group -> {
      Sample first = group.get(0);
      int shared = group.size() == 1 ? 0 : sharedRows(first);
      int parent = shared == 0 ? PackedBatch.NO_PARENT : segments.size();
      if (shared > 0) {
        segments.add(new Segment(Arrays.copyOf(first.ids(), shared), PackedBatch.NO_PARENT));
      }
      group.forEach(sample -> segments.add(new Segment(Arrays.copyOfRange(sample.ids(), shared, rowsEnd(sample)), parent)));
    });
    return PackedBatch.ofSegments(backend, arena, segments, vocabSize);
  }

  /** By segment, as {@link #pack} lays them out: a parent has none. */
  Targets targets() {
    List<Integer> first = new ArrayList<>();
    List<Integer> count = new ArrayList<>();
    forEachGroup(group -> {
      if (group.size() > 1) {
        first.add(0);
        count.add(0);
      }
      group.forEach(sample -> {
        first.add(sample.firstTarget());
        count.add(sample.targets());
      });
    });
    return new Targets(first.stream().mapToInt(i -> i).toArray(), count.stream().mapToInt(i -> i).toArray());
  }

  private void forEachGroup(Consumer<List<Sample>> action) {
    int next = 0;
    for (int size : groups) {
      action.accept(samples.subList(next, next + size));
      next += size;
    }
  }

  int[] targetIds() {
    return samples.stream().flatMapToInt(s -> Arrays.stream(s.ids(), s.firstTarget(), s.ids().length)).toArray();
  }

  /** Scored tokens. */
  int tokens() {
    return samples.stream().mapToInt(Sample::targets).sum();
  }
}
