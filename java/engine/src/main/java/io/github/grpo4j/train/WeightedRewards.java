package io.github.grpo4j.train;

import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.reward.Completion;
import io.github.grpo4j.reward.RewardFunction;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Several reward functions as one: their totals, weighted and summed. Each becomes a component under its name. Whether the answer
 * is right is the first function's judgement.
 */
record WeightedRewards(List<Weighted> functions) implements RewardFunction {
  /** A function, the name of its metrics {@code rewards/NAME/…}, and its share of the total. */
  record Weighted(String name, RewardFunction function, double weight) {}

  WeightedRewards {
    functions = List.copyOf(functions);
  }

  @Override
  public Reward score(Completion completion) {
    double total = 0;
    boolean correct = false;
    String extracted = null;
    Map<String, Double> components = new LinkedHashMap<>();
    for (Weighted weighted : functions) {
      Reward reward = weighted.function().score(completion);
      if (components.isEmpty()) {
        correct = reward.correct();
        extracted = reward.extractedAnswer();
        components.put(Reward.ANSWER, correct ? 1.0 : 0.0);
      }
      components.put(weighted.name(), reward.total());
      total += weighted.weight() * reward.total();
    }
    return new Reward(total, components, extracted);
  }
}
