package io.github.grpo4j.backend;

import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.TestDevice;

/**
 * A paged KV cache for tests: whole sequences in blocks that are handed out backwards and interleaved, so that no kernel gets
 * away with assuming an order.
 */
final class PagedCache {
  private final TestDevice device;
  private final DType dtype;
  private final AttentionShape shape;
  private final int[] cuKv;
  private final Tensor keys;
  private final Tensor values;
  private final int maxBlocks;
  private final int[] table;

  /** @param cuKv offsets of the sequences in rows of keys and values */
  PagedCache(TestDevice device, DType dtype, AttentionShape shape, int[] cuKv) {
    this.device = device;
    this.dtype = dtype;
    this.shape = shape;
    this.cuKv = cuKv;
    int longest = 0;
    for (int b = 0; b < sequences(); b++) {
      longest = Math.max(longest, length(b));
    }
    this.maxBlocks = (longest + Backend.KV_BLOCK - 1) / Backend.KV_BLOCK;
    int blocks = maxBlocks * sequences();
    this.table = new int[blocks];
    for (int b = 0; b < sequences(); b++) {
      for (int i = 0; i < maxBlocks; i++) {
        table[b * maxBlocks + i] = blocks - 1 - (i * sequences() + b);
      }
    }
    this.keys = cache(blocks);
    this.values = cache(blocks);
  }

  /** Full of NaN: a position that no token filled must not be read into a result. */
  private Tensor cache(int blocks) {
    try (Tensor layout = device.backend().allocateKvCache(dtype, shape, blocks)) {
      return device.output(dtype, layout.shape());
    }
  }

  private int sequences() {
    return cuKv.length - 1;
  }

  private int length(int sequence) {
    return cuKv[sequence + 1] - cuKv[sequence];
  }

  private int slot(int sequence, int position) {
    return table[sequence * maxBlocks + position / Backend.KV_BLOCK] * Backend.KV_BLOCK + position % Backend.KV_BLOCK;
  }

  /** Keys and values of all positions of all sequences, one row each, in one call with every third token in a second one. */
  void append(NdArray k, NdArray v) {
    int tokens = k.rows();
    Tensor qkv = device.tensor(dtype, NdArray.concatColumns(NdArray.zeros(tokens, shape.outColumns()), k, v));
    int[] first = new int[tokens];
    int[] second = new int[tokens];
    for (int b = 0; b < sequences(); b++) {
      for (int p = 0; p < length(b); p++) {
        int token = cuKv[b] + p;
        first[token] = token % 3 == 0 ? -1 : slot(b, p);
        second[token] = token % 3 == 0 ? slot(b, p) : -1;
      }
    }
    device.backend().kvAppend(keys, values, qkv, shape, device.ints(first));
    device.backend().kvAppend(keys, values, qkv, shape, device.ints(second));
  }

  /** Attention of query rows that are the last ones of their sequences. */
  NdArray attend(NdArray q, int[] cuQ) {
    NdArray nothing = NdArray.zeros(q.rows(), shape.kvHeads() * shape.headDim());
    Tensor qkv = device.tensor(dtype, NdArray.concatColumns(q, nothing, nothing));
    Tensor o = device.output(dtype, q.rows(), shape.outColumns());
    int[] lengths = new int[sequences()];
    for (int b = 0; b < lengths.length; b++) {
      lengths[b] = length(b);
    }
    device.backend().attentionPaged(
        o, qkv, shape, keys, values, device.ints(table, sequences(), maxBlocks), device.ints(cuQ), device.ints(lengths));
    return device.read(o);
  }
}
