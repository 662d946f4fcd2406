package io.github.grpo4j.rollout;

import io.github.grpo4j.model.KvCache;
import java.util.ArrayList;
import java.util.List;

/** Block copies collected while completions start, run together once the prompts are prefilled. */
final class BlockCopies {
  private final List<Integer> from = new ArrayList<>();
  private final List<Integer> to = new ArrayList<>();

  void add(int source, int target) {
    from.add(source);
    to.add(target);
  }

  void run(KvCache cache) {
    if (!from.isEmpty()) {
      cache.copyBlocks(from.stream().mapToInt(Integer::intValue).toArray(), to.stream().mapToInt(Integer::intValue).toArray());
      from.clear();
      to.clear();
    }
  }
}
