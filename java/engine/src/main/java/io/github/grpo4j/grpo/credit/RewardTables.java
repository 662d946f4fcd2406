package io.github.grpo4j.grpo.credit;

import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.episode.ScoredEpisode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The way from scored episodes to a {@link RewardTable}. */
public final class RewardTables {
  /** Name of the only part where a reward says nothing of its parts. */
  public static final String TOTAL = "total";

  private RewardTables() {}

  /**
   * @param episodes of the step
   * @param rewards that they are trained with, one per episode: not their own where rewards were shuffled
   * @param weights of the components of each reward in its total, those of weight 0 may be left out; empty: not known, and the total
   *     is the only part. A component that a reward lacks does not apply to it
   * @param maxTokens length limit of a completion
   */
  public static RewardTable of(List<ScoredEpisode> episodes, List<Reward> rewards, Map<String, Double> weights, int maxTokens) {
    List<String> names = new ArrayList<>();
    weights.forEach((name, weight) -> {
      if (weight != 0) {
        names.add(name);
      }
    });
    boolean known = !names.isEmpty();
    int n = episodes.size();
    boolean[] finished = new boolean[n];
    double[][] parts = new double[n][];
    for (int i = 0; i < n; i++) {
      Reward reward = rewards.get(i);
      finished[i] = episodes.get(i).episode().finished();
      parts[i] = known ? names.stream().mapToDouble(name -> reward.components().getOrDefault(name, Double.NaN)).toArray() : new double[] {reward.total()};
    }
    return new RewardTable(
        episodes.stream().mapToInt(ScoredEpisode::group).toArray(),
        episodes.stream().mapToInt(scored -> scored.problem().index()).toArray(),
        known ? names : List.of(TOTAL),
        parts,
        known ? names.stream().mapToDouble(weights::get).toArray() : new double[] {1},
        rewards.stream().mapToDouble(reward -> reward.correct() ? 1 : 0).toArray(),
        episodes.stream().map(ScoredEpisode::episode).map(Episode::tokenIds).mapToInt(ids -> ids.length).toArray(),
        maxTokens,
        finished,
        new boolean[n]);
  }
}
