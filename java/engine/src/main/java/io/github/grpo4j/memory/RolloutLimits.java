package io.github.grpo4j.memory;

import io.github.grpo4j.config.RolloutOptions;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.model.KvCache;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.rollout.Generator;

/** How many completions are decoded together, and how large the cache is, where the configuration leaves it open. */
public final class RolloutLimits {
  private static final int PREFILL_TOKENS = 1024;
  /** Beyond this a CPU's matrix products gain nothing from more rows, and logits of a large vocabulary grow long. */
  private static final int MOST_ROWS = 256;

  private RolloutLimits() {}

  /** @param completions that there are to sample: more rows than that would stay empty */
  public static Generator.Limits of(RunConfig config, ModelConfig model, int longestSequence, int completions) {
    RolloutOptions options = config.rollout();
    int perSequence = KvCache.blocksFor(longestSequence) + 1;
    int rows = options.maxBatch() > 0 ? options.maxBatch() : Math.min(MOST_ROWS, completions);
    if (options.kvCacheMb() == 0) {
      return new Generator.Limits(rows, longestSequence, (rows + 1) * perSequence, PREFILL_TOKENS);
    }
    long blocks = ((long) options.kvCacheMb() << 20) / KvCache.blockBytes(model, config.model().dtype());
    return new Generator.Limits(rows, longestSequence, (int) Math.min(blocks, (long) (rows + 1) * perSequence), PREFILL_TOKENS);
  }
}
