package io.github.grpo4j.rollout;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.model.BlockAllocator;
import io.github.grpo4j.model.KvCache;

/**
 * A prompt whose completions are being sampled. All but its last token are prefilled once. Full blocks are shared by the completions;
 * the block in which completions begin to differ is copied for each completion but the last, which takes the original.
 */
final class PromptGroup {
  final int requestIndex;
  final RolloutRequest request;
  private final int[] promptBlocks;
  private final int fullBlocks;
  private boolean prefilled;
  private int startedCompletions;

  PromptGroup(int requestIndex, RolloutRequest request) {
    this.requestIndex = requestIndex;
    this.request = request;
    this.fullBlocks = cachedPositions() / Backend.KV_BLOCK;
    this.promptBlocks = new int[KvCache.blocksFor(cachedPositions())];
  }

  /** The prompt without its last token, which is the first input of each completion. */
  int cachedPositions() {
    return request.promptIds().length - 1;
  }

  boolean needsPrefill() {
    return !prefilled;
  }

  boolean allStarted() {
    return startedCompletions == request.completions();
  }

  /** Blocks that the group takes before its first completion can start. */
  int promptBlockCount() {
    return prefilled ? 0 : promptBlocks.length;
  }

  /** Blocks that one more completion may come to need beyond the prompt's. */
  int completionBlocks(int maxNewTokens) {
    int whole = KvCache.blocksFor(cachedPositions() + maxNewTokens);
    boolean takesOriginal = startedCompletions == request.completions() - 1;
    return whole - (takesOriginal ? promptBlocks.length : fullBlocks);
  }

  void takePromptBlocks(BlockAllocator allocator) {
    for (int i = 0; i < promptBlocks.length; i++) {
      promptBlocks[i] = allocator.take();
    }
    prefilled = true;
  }

  int slot(int position) {
    return promptBlocks[position / Backend.KV_BLOCK] * Backend.KV_BLOCK + position % Backend.KV_BLOCK;
  }

  int[] promptBlocks() {
    return promptBlocks;
  }

  /** Hands the prompt's blocks to the next completion; block copies that this needs are added to {@code copies}. */
  Sequence startCompletion(BlockAllocator allocator, int maxBlocks, int maxNewTokens, BlockCopies copies) {
    Sequence row = new Sequence(this, startedCompletions, maxBlocks, completionBlocks(maxNewTokens));
    startedCompletions++;
    boolean last = allStarted();
    for (int i = 0; i < promptBlocks.length; i++) {
      if (last) {
        row.addBlock(promptBlocks[i]);
      } else if (i < fullBlocks) {
        allocator.share(promptBlocks[i]);
        row.addBlock(promptBlocks[i]);
      } else {
        copies.add(promptBlocks[i], row.takeReserved(allocator));
      }
    }
    return row;
  }

  /** Frees the prompt's blocks of a group that was started but not finished (an aborted rollout). */
  void abandon(BlockAllocator allocator) {
    if (prefilled && !allStarted()) {
      for (int block : promptBlocks) {
        allocator.release(block);
      }
    }
  }
}
