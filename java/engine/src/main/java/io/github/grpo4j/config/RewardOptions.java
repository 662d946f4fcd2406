package io.github.grpo4j.config;

import io.github.grpo4j.options.Check;
import io.github.grpo4j.reward.RewardFunction;
import io.github.grpo4j.reward.RewardSet;
import io.github.grpo4j.reward.builtin.RewardFunctions;
import io.github.grpo4j.reward.builtin.ThinkAnswer;
import java.util.ArrayList;
import java.util.List;

/**
 * What an answer is worth.
 *
 * @param function of weight 1, which also says whether the answer is right
 * @param others further functions, whose weighted totals are added
 * @param timeoutS seconds that one call of a function of one's own may take
 */
public record RewardOptions(RewardFunction function, List<Other> others, double timeoutS) {
  static final RewardOptions DEFAULTS = new RewardOptions(new ThinkAnswer(), List.of(), RewardSet.DEFAULT_TIMEOUT_S);

  /**
   * A further reward function.
   *
   * @param name of its metrics {@code rewards/NAME/…}; empty: the name of its kind
   * @param function its kind
   * @param weight of its total
   */
  public record Other(String name, RewardFunction function, double weight) {
    public Other() {
      this("", DEFAULTS.function, 1);
    }
  }

  public RewardOptions {
    others = List.copyOf(others);
    Check.positive("reward.timeout_s", timeoutS);
    Check.that(timeoutS <= 86_400, "reward.timeout_s", timeoutS, "a day (86400) or less");
    set(function, others, timeoutS);
  }

  /** The functions with their weights. */
  public RewardSet set() {
    return set(function, others, timeoutS);
  }

  /** @throws IllegalArgumentException if a name is taken or a weight is no number */
  private static RewardSet set(RewardFunction function, List<Other> others, double timeoutS) {
    List<RewardSet.Weighted> all = new ArrayList<>();
    all.add(new RewardSet.Weighted(RewardFunctions.REGISTRY.shortNameOf(function), function, 1));
    for (Other other : others) {
      String name = other.name().isBlank() ? RewardFunctions.REGISTRY.shortNameOf(other.function()) : other.name();
      all.add(new RewardSet.Weighted(name, other.function(), other.weight()));
    }
    return new RewardSet(all, timeoutS);
  }
}
