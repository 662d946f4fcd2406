package io.github.grpo4j.model;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * Keys and values of all layers in blocks of {@link Backend#KV_BLOCK} positions. Which sequence owns which block is the
 * scheduler's knowledge ({@link BlockAllocator}); the cache is memory.
 */
public final class KvCache implements AutoCloseable {
  /** One layer's memory. */
  public record LayerCache(Tensor keys, Tensor values) {}

  /**
   * The rows of one forward pass of generation; all tensors I32.
   *
   * @param ids {@code [rows]}
   * @param positions {@code [rows]}
   * @param slots {@code [rows]}: where each row's keys and values go, {@code block * 32 + offset}
   * @param blockTable {@code [sequences, maxBlocks]}
   * @param cuQ {@code [sequences + 1]}: first row of each sequence
   * @param kvLens {@code [sequences]}: cached positions, these rows included
   */
  public record Step(Tensor ids, Tensor positions, Tensor slots, Tensor blockTable, Tensor cuQ, Tensor kvLens) {}

  private final Backend backend;
  private final List<LayerCache> layers = new ArrayList<>();
  private final int blocks;

  public KvCache(Backend backend, ModelConfig config, DType dtype, int blocks) {
    this.backend = backend;
    this.blocks = blocks;
    for (int i = 0; i < config.layers(); i++) {
      layers.add(new LayerCache(
          backend.allocateKvCache(dtype, config.attention(), blocks), backend.allocateKvCache(dtype, config.attention(), blocks)));
    }
  }

  /** Bytes of one block in all layers, keys and values. */
  public static long blockBytes(ModelConfig config, DType dtype) {
    return 2L * config.layers() * config.kvHeads() * config.headDim() * Backend.KV_BLOCK * dtype.bytes();
  }

  /** Blocks that hold {@code positions} positions. */
  public static int blocksFor(int positions) {
    return (positions + Backend.KV_BLOCK - 1) / Backend.KV_BLOCK;
  }

  public int blocks() {
    return blocks;
  }

  public LayerCache layer(int index) {
    return layers.get(index);
  }

  /** Copies block {@code from[i]} to block {@code to[i]} in every layer. */
  public void copyBlocks(int[] from, int[] to) {
    for (LayerCache layer : layers) {
      backend.kvCopyBlocks(layer.keys(), from, to);
      backend.kvCopyBlocks(layer.values(), from, to);
    }
  }

  @Override
  public void close() {
    for (LayerCache layer : layers) {
      layer.keys().close();
      layer.values().close();
    }
  }
}
