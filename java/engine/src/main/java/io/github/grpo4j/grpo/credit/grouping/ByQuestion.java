package io.github.grpo4j.grpo.credit.grouping;

import io.github.grpo4j.grpo.credit.Grouping;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.grpo.credit.StatisticsGroups;
import java.util.Map;

/** Each completion is compared with all completions of its question: GRPO (arXiv 2402.03300). */
public record ByQuestion() implements Grouping {
  @Override
  public StatisticsGroups groups(RewardTable rewards, Map<String, Double> metrics) {
    return StatisticsGroups.by(rewards.group());
  }
}
