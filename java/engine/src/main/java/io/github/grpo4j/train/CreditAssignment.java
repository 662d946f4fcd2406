package io.github.grpo4j.train;

import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.data.BatchOrder;
import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.episode.ScoredEpisode;
import io.github.grpo4j.grpo.credit.Advantages;
import io.github.grpo4j.grpo.credit.GroupedRewards;
import java.util.Arrays;
import java.util.List;

/** From what the episodes of a step were worth to the advantage that each is trained with. */
final class CreditAssignment {
  private final RunConfig config;

  /** @param rewards those that are trained with, one per episode: not the episodes' own where they were dealt out at random */
  record Assigned(List<Reward> rewards, Advantages advantages) {}

  CreditAssignment(RunConfig config) {
    this.config = config;
  }

  Assigned assign(int step, List<ScoredEpisode> scored) {
    List<Reward> rewards = rewards(step, scored);
    int[] groups = scored.stream().mapToInt(ScoredEpisode::group).toArray();
    GroupedRewards grouped = GroupedRewards.of(groups, rewards.stream().mapToDouble(Reward::total).toArray());
    return new Assigned(rewards, config.advantageEstimator().estimate(grouped));
  }

  private List<Reward> rewards(int step, List<ScoredEpisode> scored) {
    List<Reward> rewards = scored.stream().map(ScoredEpisode::reward).toList();
    if (!config.training().shuffleRewards()) {
      return rewards;
    }
    int[] dealt = new BatchOrder(rewards.size(), rewards.size(), config.training().seed(), true).order(step);
    return Arrays.stream(dealt).mapToObj(rewards::get).toList();
  }
}
