package io.github.grpo4j.rollout;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.FinishReason;
import io.github.grpo4j.model.BlockAllocator;
import java.util.Arrays;

/**
 * A sequence in flight: its blocks of the cache and the tokens sampled so far. Steps may be queued that the host has not read yet,
 * so the device may hold more tokens than are known here.
 */
final class Sequence {
  final PromptGroup group;
  final int completion;
  final int[] blocks;
  private int blockCount;
  private int reserved;
  private int cached;
  private int queued;
  private int lastIndex;
  private boolean finished;

  private int[] tokenIds = new int[16];
  private float[] logprobs = new float[16];
  private float[] entropies = new float[16];
  private int sampled;

  /** @param reserved blocks set aside for this completion, beyond the ones it is given */
  Sequence(PromptGroup group, int completion, int maxBlocks, int reserved) {
    this.group = group;
    this.completion = completion;
    this.blocks = new int[maxBlocks];
    this.reserved = reserved;
    this.cached = group.cachedPositions();
  }

  void addBlock(int block) {
    blocks[blockCount++] = block;
  }

  /** Blocks set aside and not taken yet. */
  int reserved() {
    return reserved;
  }

  int takeReserved(BlockAllocator allocator) {
    reserved--;
    int block = allocator.take();
    addBlock(block);
    return block;
  }

  /** Positions in the cache, once all that is queued is done: where the next input token goes. */
  int cached() {
    return cached;
  }

  /** Slot of the next input token; takes a new block at a block's edge. */
  int nextSlot(BlockAllocator allocator) {
    int index = cached / Backend.KV_BLOCK;
    if (index == blockCount) {
      takeReserved(allocator);
    }
    return blocks[index] * Backend.KV_BLOCK + cached % Backend.KV_BLOCK;
  }

  /** The token that the next step reads, for {@link Backend#inputTokens}: itself, or its place in what the last step draws. */
  int inputFrom() {
    if (queued > sampled) {
      return lastIndex;
    }
    int[] prompt = group.request.promptIds();
    return asInput(sampled == 0 ? prompt[prompt.length - 1] : tokenIds[sampled - 1]);
  }

  /** A token that is known, for {@link Backend#inputTokens}. */
  static int asInput(int token) {
    return -1 - token;
  }

  /** Steps queued for this completion, each of which samples a token. */
  int queued() {
    return queued;
  }

  /** A step was queued in which this completion is the {@code index}-th row. */
  void advance(int index) {
    queued++;
    cached++;
    lastIndex = index;
  }

  /** Tokens that the host has read. */
  int sampled() {
    return sampled;
  }

  void append(int token, float logprob, float entropy) {
    if (sampled == tokenIds.length) {
      tokenIds = Arrays.copyOf(tokenIds, 2 * sampled);
      logprobs = Arrays.copyOf(logprobs, 2 * sampled);
      entropies = Arrays.copyOf(entropies, 2 * sampled);
    }
    tokenIds[sampled] = token;
    logprobs[sampled] = logprob;
    entropies[sampled] = entropy;
    sampled++;
  }

  /** Whether the completion has ended; what is still sampled for it is of no use. */
  boolean finished() {
    return finished;
  }

  void releaseBlocks(BlockAllocator allocator) {
    for (int i = 0; i < blockCount; i++) {
      allocator.release(blocks[i]);
    }
    blockCount = 0;
    reserved = 0;
  }

  /** Ends the completion. */
  Episode toEpisode(FinishReason reason, TextDecoder decoder) {
    finished = true;
    int[] ids = Arrays.copyOf(tokenIds, sampled);
    return new Episode(group.request.problem(), completion, group.request.promptIds(), ids, Arrays.copyOf(logprobs, sampled),
        Arrays.copyOf(entropies, sampled), reason, decoder.decode(ids));
  }
}
