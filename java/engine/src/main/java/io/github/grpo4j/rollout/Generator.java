package io.github.grpo4j.rollout;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Replay;
import io.github.grpo4j.backend.SamplingSettings;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.FinishReason;
import io.github.grpo4j.model.BlockAllocator;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.KvCache;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.PackedBatch;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CancellationException;

/**
 * Samples completions: a paged KV cache whose prompt blocks are shared by the completions of a group, and continuous batching, in
 * which the place of a completion that ended is taken by the next one at once.
 *
 * <p>Random numbers are keyed by (seed, step, problem, completion, position), and a row's arithmetic does not depend on its
 * neighbours: a completion is the same whatever else is in the batch and however large the batch is.
 *
 * <p>A completion starts only when the blocks that it may come to need are free, so nothing ever has to be evicted.
 */
public final class Generator implements AutoCloseable {
  /**
   * Limits that memory is planned for.
   *
   * @param maxRows completions decoded together
   * @param maxSequenceTokens longest prompt and completion together
   * @param kvBlocks blocks of the cache: at least enough for one completion of that length, and one more for the block in which
   *     the completions of a group begin to differ
   * @param prefillTokens prompt tokens in one forward pass; a longer prompt is a pass of its own
   */
  public record Limits(int maxRows, int maxSequenceTokens, int kvBlocks, int prefillTokens) {
    public Limits {
      int needed = KvCache.blocksFor(maxSequenceTokens) + 1;
      if (kvBlocks < needed) {
        throw new IllegalArgumentException("a KV cache of " + kvBlocks + " blocks cannot hold one sequence of " + maxSequenceTokens
            + " tokens (" + needed + " blocks); raise rollout.kv_cache_mb or lower rollout.max_new_tokens");
      }
      if (maxRows < 1) {
        throw new IllegalArgumentException("rollout.max_batch is " + maxRows + "; it must be at least 1");
      }
    }

    /** A cache in which {@code maxRows} completions of full length fit, prompts not shared: nothing ever waits for blocks. */
    public static Limits of(int maxRows, int maxSequenceTokens) {
      return new Limits(maxRows, maxSequenceTokens, (maxRows + 1) * (KvCache.blocksFor(maxSequenceTokens) + 1), 1024);
    }

    int rowsPerPass() {
      return Math.max(maxRows, Math.max(prefillTokens, maxSequenceTokens));
    }
  }

  /** What a rollout gave. Episodes are ordered by request, then by completion. */
  public record Rollout(List<Episode> episodes, RolloutStats stats) {}

  private final CausalLm model;
  private final Backend backend;
  private final Limits limits;
  private final Set<Integer> eosIds;
  private final int vocabUsed;
  private final TextDecoder decoder;
  private final KvCache cache;
  private final BlockAllocator allocator;
  private final Arena arena;
  private final DecodeSteps steps;
  private final long working;
  private final int maxBlocks;

  /**
   * @param eosIds tokens that end a completion
   * @param vocabUsed token ids from here on are never sampled (padding rows of the head)
   */
  public Generator(CausalLm model, Limits limits, Set<Integer> eosIds, int vocabUsed, TextDecoder decoder) {
    this(model, limits, eosIds, vocabUsed, decoder, model.backend().replay());
  }

  /** @param replay says how far ahead of the host steps are queued, and how many rows they have; closed with the generator */
  Generator(CausalLm model, Limits limits, Set<Integer> eosIds, int vocabUsed, TextDecoder decoder, Replay replay) {
    if (limits.maxSequenceTokens() > model.maxPositions()) {
      throw new IllegalArgumentException("sequences of up to " + limits.maxSequenceTokens() + " tokens were asked for, but the model was"
          + " opened for " + model.maxPositions() + "; lower data.max_prompt_tokens or rollout.max_new_tokens");
    }
    this.model = model;
    this.backend = model.backend();
    this.limits = limits;
    this.eosIds = Set.copyOf(eosIds);
    this.vocabUsed = Math.min(vocabUsed, model.config().vocabSize());
    this.decoder = decoder;
    this.maxBlocks = KvCache.blocksFor(limits.maxSequenceTokens());
    this.cache = new KvCache(backend, model.config(), model.weights().dtype(), limits.kvBlocks());
    this.allocator = new BlockAllocator(limits.kvBlocks());
    this.arena = new Arena(backend, workingBytes(model.config(), model.weights().dtype(), limits), "rollout", "rollout.max_batch");
    this.steps = new DecodeSteps(model, cache, arena, replay, limits.maxRows(), limits.maxSequenceTokens());
    this.working = arena.mark();
  }

  /** Bytes of all memory of a generator, the cache included. */
  public static long bytes(ModelConfig config, DType dtype, Limits limits) {
    return limits.kvBlocks() * KvCache.blockBytes(config, dtype) + workingBytes(config, dtype, limits);
  }

  /** Bytes of a generator's memory beside the cache. */
  public static long workingBytes(ModelConfig config, DType dtype, Limits limits) {
    int rows = limits.rowsPerPass();
    return CausalLm.decodeBytes(config, dtype, rows)
        + DecodeSteps.bytes(limits.maxRows(), limits.maxSequenceTokens(), config.vocabSize())
        + AttentionMetadata.bytes(rows, rows, KvCache.blocksFor(limits.maxSequenceTokens()));
  }

  /** Samples all completions of all requests. Interrupting the thread ends it with {@link CancellationException}. */
  public Rollout generate(List<RolloutRequest> requests, SamplingParams params, long seed, int step, RolloutListener listener) {
    return new Run(requests, params, seed, step, listener).run();
  }

  /** Blocks of the cache that nothing uses: all of them between rollouts. */
  int freeBlocks() {
    return allocator.freeBlocks();
  }

  @Override
  public void close() {
    steps.close();
    arena.close();
    cache.close();
  }

  /** One call of {@link #generate}. */
  private final class Run {
    private final List<RolloutRequest> requests;
    private final SamplingParams params;
    private final SamplingSettings settings;
    private final int step;
    private final RolloutListener listener;
    private final Deque<PromptGroup> waiting = new ArrayDeque<>();
    /** Completions that get a token in the next step; {@link DecodeSteps} has the history of the r-th in its r-th row. */
    private final List<Sequence> rows = new ArrayList<>();
    /** Those, and completions whose last tokens are in flight. */
    private final Set<Sequence> unfinished = new LinkedHashSet<>();
    private final Episode[][] done;
    private final int total;
    private int finished;
    private long promptTokens;
    private long newTokens;
    private long decodeSteps;
    private long decodedRows;
    private long prefillNanos;
    private long collectNanos;

    Run(List<RolloutRequest> requests, SamplingParams params, long seed, int step, RolloutListener listener) {
      this.requests = requests;
      this.params = params;
      this.settings = params.settings(vocabUsed, seed);
      this.step = step;
      this.listener = listener;
      this.done = new Episode[requests.size()][];
      int completions = 0;
      for (int i = 0; i < requests.size(); i++) {
        RolloutRequest request = requests.get(i);
        checkRequest(request);
        waiting.add(new PromptGroup(i, request));
        done[i] = new Episode[request.completions()];
        completions += request.completions();
      }
      this.total = completions;
    }

    private void checkRequest(RolloutRequest request) {
      int length = request.promptIds().length + params.maxNewTokens();
      if (length > limits.maxSequenceTokens()) {
        throw new IllegalArgumentException("problem " + request.problem() + ": a prompt of " + request.promptIds().length + " tokens and "
            + params.maxNewTokens() + " new ones exceed the " + limits.maxSequenceTokens()
            + " tokens planned for; change data.max_prompt_tokens or rollout.max_new_tokens");
      }
      for (int id : request.promptIds()) {
        PackedBatch.checkId(id, model.config().vocabSize());
      }
    }

    Rollout run() {
      try {
        while (finished < total) {
          if (Thread.currentThread().isInterrupted()) {
            throw new CancellationException("the rollout was interrupted after " + finished + " of " + total + " completions");
          }
          admit();
          if (!rows.isEmpty()) {
            decodeStep();
          } else if (steps.inFlight() == 0) {
            throw new IllegalStateException("no completion can start with " + allocator);
          }
          if (rows.isEmpty() || steps.farEnoughAhead()) {
            collect(steps.receive());
            listener.progress(finished, total, newTokens);
          }
        }
      } finally {
        steps.abandon();
        arena.reset(working);
        unfinished.forEach(row -> row.releaseBlocks(allocator));
        waiting.forEach(group -> group.abandon(allocator));
      }
      List<Episode> episodes = new ArrayList<>(total);
      for (Episode[] group : done) {
        episodes.addAll(Arrays.asList(group));
      }
      DecodeSteps.Times times = steps.takeTimes();
      return new Rollout(episodes, new RolloutStats(promptTokens, newTokens, decodeSteps, decodedRows, prefillNanos * 1e-9,
          times.decodeSeconds(), times.sampleSeconds() + collectNanos * 1e-9));
    }

    /** Starts waiting completions, in order, while rows and blocks last. */
    private void admit() {
      List<PromptGroup> toPrefill = new ArrayList<>();
      BlockCopies copies = new BlockCopies();
      int promised = rows.stream().mapToInt(Sequence::reserved).sum();
      while (rows.size() < limits.maxRows() && !waiting.isEmpty()) {
        PromptGroup group = waiting.peek();
        int needed = group.promptBlockCount() + group.completionBlocks(params.maxNewTokens());
        if (allocator.freeBlocks() - promised < needed) {
          break;
        }
        if (group.needsPrefill()) {
          group.takePromptBlocks(allocator);
          toPrefill.add(group);
        }
        Sequence row = group.startCompletion(allocator, maxBlocks, params.maxNewTokens(), copies);
        unfinished.add(row);
        steps.admit(row, rows.size(), settings);
        rows.add(row);
        promised += row.reserved();
        if (group.allStarted()) {
          waiting.remove();
        }
      }
      if (!toPrefill.isEmpty()) {
        long start = System.nanoTime();
        prefill(toPrefill);
        prefillNanos += System.nanoTime() - start;
      }
      copies.run(cache);
    }

    private void prefill(List<PromptGroup> groups) {
      List<PromptGroup> batch = new ArrayList<>();
      int tokens = 0;
      for (PromptGroup group : groups) {
        int length = group.cachedPositions();
        if (length == 0) {
          continue;
        }
        if (tokens > 0 && tokens + length > limits.prefillTokens()) {
          prefillBatch(batch, tokens);
          batch.clear();
          tokens = 0;
        }
        batch.add(group);
        tokens += length;
      }
      if (tokens > 0) {
        prefillBatch(batch, tokens);
      }
    }

    private void prefillBatch(List<PromptGroup> batch, int tokens) {
      promptTokens += tokens;
      AttentionMetadata metadata = new AttentionMetadata(tokens, batch.size(), maxBlocks);
      for (PromptGroup group : batch) {
        for (int position = 0; position < group.cachedPositions(); position++) {
          metadata.addRow(group.request.promptIds()[position], position, group.slot(position));
        }
        metadata.endSequence(group.promptBlocks(), group.promptBlocks().length, group.cachedPositions());
      }
      long mark = arena.mark();
      model.decode(metadata.upload(backend, arena), cache, arena);
      arena.reset(mark);
    }

    private void decodeStep() {
      decodeSteps++;
      decodedRows += rows.size();
      steps.queue(rows, allocator, settings, step);
      for (int r = rows.size() - 1; r >= 0; r--) {
        if (rows.get(r).queued() == params.maxNewTokens()) {
          removeRow(r);
        }
      }
    }

    /** The last row takes the place of the one that is removed. */
    private void removeRow(int index) {
      Sequence last = rows.remove(rows.size() - 1);
      if (index < rows.size()) {
        steps.move(rows.size(), index, settings);
        rows.set(index, last);
      }
    }

    private void collect(DecodeSteps.SampledTokens sampled) {
      long start = System.nanoTime();
      for (int r = 0; r < sampled.rows().size(); r++) {
        Sequence row = sampled.rows().get(r);
        if (!row.finished()) {
          append(row, sampled.tokens()[r], sampled.logprobs()[r], sampled.entropies()[r]);
        }
      }
      collectNanos += System.nanoTime() - start;
    }

    private void append(Sequence row, int token, float logprob, float entropy) {
      newTokens++;
      row.append(token, logprob, entropy);
      listener.token(row.group.requestIndex, row.completion, token);
      FinishReason reason = eosIds.contains(token) ? FinishReason.EOS
          : row.sampled() == params.maxNewTokens() ? FinishReason.LENGTH : null;
      if (reason == null) {
        return;
      }
      Episode episode = row.toEpisode(reason, decoder);
      done[row.group.requestIndex][row.completion] = episode;
      row.releaseBlocks(allocator);
      unfinished.remove(row);
      int index = rows.indexOf(row);
      if (index >= 0) {
        removeRow(index);
      }
      finished++;
      listener.ended(row.group.requestIndex, row.completion, episode);
    }
  }
}
