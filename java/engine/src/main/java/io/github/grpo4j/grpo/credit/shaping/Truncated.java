package io.github.grpo4j.grpo.credit.shaping;

import io.github.grpo4j.grpo.credit.RewardTable;
import java.util.Map;

/** The completions that the length limit ended. */
final class Truncated {
  private Truncated() {}

  /** Which episodes have a reward and did not end by themselves {@code [N]}. */
  static boolean[] of(RewardTable rewards) {
    boolean[] truncated = rewards.unscored();
    for (int i = 0; i < truncated.length; i++) {
      truncated[i] = !truncated[i] && !rewards.finished()[i];
    }
    return truncated;
  }

  /** Reports their share of all episodes. */
  static void putShare(Map<String, Double> metrics, String name, boolean[] truncated) {
    int count = 0;
    for (boolean one : truncated) {
      count += one ? 1 : 0;
    }
    metrics.put(name, (double) count / Math.max(1, truncated.length));
  }
}
