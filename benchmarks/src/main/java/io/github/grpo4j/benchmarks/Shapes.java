package io.github.grpo4j.benchmarks;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.github.grpo4j.model.ModelConfig;

/** Model shapes that benchmarks run at; weights are random, since only the shape matters for speed. */
public enum Shapes {
  /** The embedded demo model. */
  TINY(96, 3, 4, 2, 256, 512),
  /** 10 million parameters: small enough for a CPU, large enough for matrix products to dominate. */
  M10(256, 8, 4, 2, 1344, 2048),
  /** Qwen2.5-0.5B. */
  QWEN_05B(896, 24, 14, 2, 4864, 151936);

  private final ModelConfig config;

  Shapes(int hidden, int layers, int heads, int kvHeads, int intermediate, int vocab) {
    config = new ModelConfig(ModelConfig.Family.QWEN2, hidden, layers, heads, kvHeads, hidden / heads, intermediate, vocab, 32768, 1e-6f,
        1e6, true, true, -1, JsonNodeFactory.instance.objectNode());
  }

  public ModelConfig config() {
    return config;
  }
}
