package io.github.grpo4j.model;

import java.util.Arrays;

/**
 * Reference-counted blocks of the paged KV cache. A block with several owners is shared: the prompt of a group, read by all
 * its completions. A shared block is copied before it is written to.
 */
public final class BlockAllocator {
  private final int[] owners;
  private final int[] free;
  private int freeCount;

  public BlockAllocator(int blocks) {
    owners = new int[blocks];
    free = new int[blocks];
    for (int i = 0; i < blocks; i++) {
      free[i] = blocks - 1 - i;
    }
    freeCount = blocks;
  }

  public int blocks() {
    return owners.length;
  }

  public int freeBlocks() {
    return freeCount;
  }

  /** A block of one owner. Callers see to it that there is one ({@link #freeBlocks}). */
  public int take() {
    if (freeCount == 0) {
      throw new IllegalStateException("all " + owners.length + " blocks of the KV cache are in use");
    }
    int block = free[--freeCount];
    owners[block] = 1;
    return block;
  }

  public void share(int block) {
    requireOwned(block);
    owners[block]++;
  }

  /** One owner fewer; the last one frees the block. */
  public void release(int block) {
    requireOwned(block);
    if (--owners[block] == 0) {
      free[freeCount++] = block;
    }
  }

  public boolean isShared(int block) {
    return owners[block] > 1;
  }

  private void requireOwned(int block) {
    if (owners[block] == 0) {
      throw new IllegalStateException("block " + block + " of the KV cache has no owner");
    }
  }

  @Override
  public String toString() {
    return freeCount + " of " + owners.length + " blocks free, owners " + Arrays.toString(owners);
  }
}
