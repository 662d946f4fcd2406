package io.github.grpo4j.memory;

import java.nio.file.Path;

/** What a run takes beside tensors: an estimate from runs of models with 0.4 to 500 million parameters. */
final class JavaMemory {
  /** The JVM's code, classes and thread stacks, the kernels' scratch, and the buffers of a checkpoint. */
  private static final long BASE = 100L << 20;
  /** Of the size of a tokenizer.json: the library's tables, and what building them left behind. */
  private static final long TOKENIZER_SHARE = 10;

  private JavaMemory() {}

  /** @param model directory of the model */
  static long bytes(Path model) {
    // Objects die young here, but only when the young generation, a third of the serial collector's heap, is full for the first time.
    long heap = Runtime.getRuntime().totalMemory() / 3;
    return BASE + heap + TOKENIZER_SHARE * model.resolve("tokenizer.json").toFile().length();
  }
}
