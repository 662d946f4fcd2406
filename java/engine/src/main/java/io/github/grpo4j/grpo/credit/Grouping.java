package io.github.grpo4j.grpo.credit;

import java.util.Map;

/**
 * Which episodes are compared with each other. Kinds are listed in {@code grouping.Groupings}; implementations are records whose
 * components are their configuration.
 */
public interface Grouping {
  /**
   * Episodes of different questions are never compared.
   *
   * @param metrics takes what the grouping reports, by name
   */
  StatisticsGroups groups(RewardTable rewards, Map<String, Double> metrics);
}
