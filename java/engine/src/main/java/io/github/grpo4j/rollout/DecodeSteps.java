package io.github.grpo4j.rollout;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Readback;
import io.github.grpo4j.backend.Replay;
import io.github.grpo4j.backend.SamplingSettings;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.model.BlockAllocator;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.KvCache;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;

/**
 * Decoding steps, each queued before the host has read the tokens of the steps before, as far ahead as the back end likes.
 *
 * <p>All that a step needs is known to the host (positions, slots, counters of the random numbers), but for the tokens: those a
 * step takes on the device from where the one before left them, and adds them to the history there. So a row that has sampled an
 * end-of-sequence token goes on until the host reads that; the tokens sampled meanwhile are dropped, and no other row's bits
 * depend on it.
 */
final class DecodeSteps implements AutoCloseable {
  /** A token for each row of a step, in their order. */
  record SampledTokens(List<Sequence> rows, int[] tokens, float[] logprobs, float[] entropies) {}

  record Times(double decodeSeconds, double sampleSeconds) {}

  /** What the calls of a step depend on: its tensors lie at the same places whenever it has as many rows. */
  private record StepKey(int rows, SamplingSettings settings) {}

  private final CausalLm model;
  private final Backend backend;
  private final KvCache cache;
  private final Arena arena;
  private final Replay replay;
  private final Readback readback;
  private final int maxRows;
  private final int maxBlocks;
  private final Tensor token;
  private final Tensor logprob;
  private final Tensor entropy;
  /** Row r belongs to the r-th row of a step: its prompt and all its input tokens. The rest of it repeats the prompt's first. */
  private final Tensor history;
  private final Deque<List<Sequence>> inFlight = new ArrayDeque<>();
  private long decodeNanos;
  private long sampleNanos;

  /** Takes {@link #bytes} from the bottom of the arena, and more in each step. */
  DecodeSteps(CausalLm model, KvCache cache, Arena arena, Replay replay, int maxRows, int maxSequenceTokens) {
    this.model = model;
    this.backend = model.backend();
    this.cache = cache;
    this.arena = arena;
    this.replay = replay;
    this.maxRows = maxRows;
    this.maxBlocks = KvCache.blocksFor(maxSequenceTokens);
    this.token = arena.tensor(DType.I32, maxRows);
    this.logprob = arena.tensor(DType.F32, maxRows);
    this.entropy = arena.tensor(DType.F32, maxRows);
    this.history = arena.tensor(DType.I32, maxRows, maxSequenceTokens);
    this.readback = backend.readback(replay.runsAhead() + 1, 3 * Integer.BYTES * maxRows);
  }

  /** Bytes of the arena beside those of {@link CausalLm#decodeBytes}. */
  static long bytes(int maxRows, int maxSequenceTokens, int vocabSize) {
    return 4 * Arena.sizeOf(DType.I32, maxRows) + Arena.sizeOf(DType.I32, maxRows, maxSequenceTokens)
        + SamplingInputs.bytes(maxRows) + Arena.sizeOf(DType.F32, maxRows, vocabSize);
  }

  /** The completion is the {@code index}-th row of the steps to come: its prompt becomes that row's history, if there is a penalty. */
  void admit(Sequence row, int index, SamplingSettings settings) {
    if (hasHistory(settings)) {
      int[] prompt = row.group.request.promptIds();
      int[] tokens = Arrays.copyOf(prompt, Math.toIntExact(history.columns()));
      Arrays.fill(tokens, prompt.length, tokens.length, prompt[0]);
      backend.upload(history.rows(index, 1), tokens, 0);
    }
  }

  /** The row at index {@code from} of the steps so far is at {@code to} in those to come. */
  void move(int from, int to, SamplingSettings settings) {
    if (hasHistory(settings)) {
      backend.copy(history.rows(to, 1), history.rows(from, 1));
    }
  }

  private static boolean hasHistory(SamplingSettings settings) {
    return settings.repetitionPenalty() != 1;
  }

  /** Queues one step of all rows: each gets one position further. */
  void queue(List<Sequence> rows, BlockAllocator allocator, SamplingSettings settings, int step) {
    long start = System.nanoTime();
    int count = rows.size();
    int padded = Math.min(replay.paddedRows(count), maxRows);
    AttentionMetadata metadata = new AttentionMetadata(padded, padded, maxBlocks);
    SamplingInputs samplingInputs = new SamplingInputs(padded, Math.toIntExact(history.columns()));
    for (int r = 0; r < count; r++) {
      Sequence row = rows.get(r);
      samplingInputs.addRow(step, row.group.request.problem(), row.completion, row.queued(), row.cached());
      metadata.addRow(row.inputFrom(), row.cached(), row.nextSlot(allocator));
      metadata.endSequence(row.blocks, maxBlocks, row.cached() + 1);
      row.advance(r);
    }
    for (int r = count; r < padded; r++) {
      metadata.addRow(Sequence.asInput(0), 0, -1); // reads the first position of some block, and writes nowhere
      metadata.endSequence(new int[0], 0, 1);
    }
    long mark = arena.mark();
    run(metadata, samplingInputs, padded, settings, start);
    arena.reset(mark);
    readback.send(token.rows(0, count), logprob.rows(0, count), entropy.rows(0, count));
    inFlight.add(List.copyOf(rows));
  }

  private void run(AttentionMetadata metadata, SamplingInputs samplingInputs, int rows, SamplingSettings settings, long start) {
    KvCache.Step sources = metadata.upload(backend, arena);
    SamplingInputs.Uploaded sampling = samplingInputs.upload(backend, arena);
    Tensor ids = arena.tensor(DType.I32, rows);
    KvCache.Step inputs = new KvCache.Step(
        ids, sources.positions(), sources.slots(), sources.blockTable(), sources.cuQ(), sources.kvLens());
    Tensor logits = arena.tensor(DType.F32, rows, model.config().vocabSize());
    boolean withHistory = hasHistory(settings);
    long[] sampledAt = {0};
    replay.run(new StepKey(rows, settings), () -> {
      backend.inputTokens(ids, token, sources.ids(), withHistory ? history : null, withHistory ? sampling.historyAt() : null);
      model.logits(logits, model.decode(inputs, cache, arena));
      sampledAt[0] = System.nanoTime();
      backend.sample(token.rows(0, rows), logprob.rows(0, rows), entropy.rows(0, rows), logits, sampling.counters(),
          withHistory ? history : null, withHistory ? sampling.historyStart() : null, settings);
    });
    long end = System.nanoTime();
    long sampled = sampledAt[0] == 0 ? end : sampledAt[0];
    decodeNanos += sampled - start;
    sampleNanos += end - sampled;
  }

  /** Steps queued and not received. */
  int inFlight() {
    return inFlight.size();
  }

  /** Whether the host does well to receive one before it queues the next. */
  boolean farEnoughAhead() {
    return inFlight.size() > replay.runsAhead();
  }

  /** What the oldest step that was not received yet sampled; waits for it. */
  SampledTokens receive() {
    long start = System.nanoTime();
    ByteBuffer bytes = readback.receive().order(ByteOrder.nativeOrder());
    List<Sequence> rows = inFlight.remove();
    int count = rows.size();
    IntBuffer ints = bytes.asIntBuffer();
    FloatBuffer floats = bytes.asFloatBuffer();
    int[] tokens = new int[count];
    float[] logprobs = new float[count];
    float[] entropies = new float[count];
    ints.get(tokens);
    floats.position(count).get(logprobs).get(entropies);
    decodeNanos += System.nanoTime() - start;
    return new SampledTokens(rows, tokens, logprobs, entropies);
  }

  /** Gives up the steps in flight. What they still write is overwritten by what is queued from now on. */
  void abandon() {
    inFlight.clear();
    readback.clear();
  }

  /** Time since the last call. Where steps are queued ahead, sampling is waited for together with the rest. */
  Times takeTimes() {
    Times times = new Times(decodeNanos * 1e-9, sampleNanos * 1e-9);
    decodeNanos = 0;
    sampleNanos = 0;
    return times;
  }

  @Override
  public void close() {
    replay.close();
    readback.close();
  }
}
