package io.github.grpo4j.train;

import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.data.BatchOrder;
import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.episode.ScoredEpisode;
import io.github.grpo4j.grpo.credit.Credits;
import io.github.grpo4j.grpo.credit.Evidence;
import io.github.grpo4j.grpo.credit.RewardTables;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** From what the episodes of a step were worth to the advantage that each is trained with. */
final class CreditAssignment {
  private final RunConfig config;
  private final Map<String, Double> weights;

  /** @param rewards those that are trained with, one per episode: not the episodes' own where they were dealt out at random */
  record AssignedCredit(List<Reward> rewards, Credits credits) {}

  /** @param weights of the parts of a reward in its total */
  CreditAssignment(RunConfig config, Map<String, Double> weights) {
    this.config = config;
    this.weights = weights;
  }

  AssignedCredit assign(int step, List<ScoredEpisode> scored, Evidence evidence) {
    List<Reward> rewards = rewards(step, scored);
    Credits credits = config.credit().assign(RewardTables.of(scored, rewards, weights, config.rollout().maxNewTokens()), evidence);
    return new AssignedCredit(rewards, credits);
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
