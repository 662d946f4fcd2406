package io.github.grpo4j.train;

import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.episode.ScoredEpisode;
import io.github.grpo4j.grpo.credit.RewardStatistics;
import io.github.grpo4j.reward.AnswerRates;
import io.github.grpo4j.run.RunState;
import io.github.grpo4j.track.Metrics;
import java.util.IntSummaryStatistics;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/** The metrics of one step of GRPO, in a fixed order. */
final class StepReport {
  private StepReport() {}

  /**
   * All but wall clock and memory of the whole step, which come last.
   *
   * @param before state of the run before the step
   * @param epoch how many passes over the problems are done after it
   */
  static Metrics of(TrainingStep.Result result, RunState before, double epoch) {
    Metrics metrics = new Metrics();
    RolloutUpdate.UpdateResult updated = result.updated();
    metrics.put(Metrics.EPOCH, epoch);
    putRewards(metrics, result.credit().rewards(), result.credit().credits().fractionZeroStd());
    result.credit().credits().metrics().forEach(metrics::put);
    AnswerRates.of(result.episodes()).putInto(metrics::put);
    putCompletions(metrics, result.episodes());
    updated.metrics().forEach(metrics::put);
    metrics.put(Metrics.LEARNING_RATE, updated.learningRate());
    metrics.put(Metrics.NUM_TOKENS, before.numTokens() + result.tokens());
    metrics.put("skipped_updates", before.skippedUpdates() + updated.skipped());
    metrics.put(Metrics.ROLLOUT_TOKENS_PER_S, result.rollout().tokensPerSecond());
    metrics.put(Metrics.TRAIN_TOKENS_PER_S, result.updateSeconds() == 0 ? 0 : updated.trainedTokens() / result.updateSeconds());
    metrics.put(Metrics.TIME + "rollout", result.rolloutSeconds());
    metrics.put(Metrics.TIME + "update", result.updateSeconds());
    return metrics;
  }

  /**
   * {@code reward}, {@code reward_std}, {@code frac_reward_zero_std}, and {@code rewards/NAME/mean} and {@code /std} of every
   * component. {@code rewards/failed} counts completions that a function gave no reward because it threw or was late, where there are some.
   */
  static void putRewards(Metrics metrics, List<Reward> rewards, double fractionZeroStd) {
    RewardStatistics total = RewardStatistics.of(rewards.stream().mapToDouble(Reward::total).toArray());
    metrics.put("reward", total.mean());
    metrics.put("reward_std", total.std());
    metrics.put("frac_reward_zero_std", fractionZeroStd);
    Set<String> components = new LinkedHashSet<>();
    rewards.forEach(reward -> components.addAll(reward.components().keySet()));
    for (String component : components) {
      RewardStatistics part = RewardStatistics.of(
          rewards.stream().mapToDouble(reward -> reward.components().getOrDefault(component, Double.NaN)).toArray());
      metrics.put("rewards/" + component + "/mean", part.mean());
      metrics.put("rewards/" + component + "/std", part.std());
    }
    long failed = rewards.stream().filter(reward -> reward.failure() != null).count();
    if (failed > 0) {
      metrics.put("rewards/failed", failed);
    }
  }

  /**
   * {@code completions/mean_length}, min, max, {@code clipped_ratio} (share cut off by the length limit), and the lengths of
   * those that ended by themselves ({@code …_terminated_length}, 0 if there are none).
   */
  static void putCompletions(Metrics metrics, List<ScoredEpisode> episodes) {
    IntSummaryStatistics all = lengths(episodes.stream());
    IntSummaryStatistics terminated = lengths(episodes.stream().filter(scored -> scored.episode().finished()));
    metrics.put("completions/mean_length", all.getAverage());
    metrics.put("completions/min_length", least(all));
    metrics.put("completions/max_length", most(all));
    metrics.put("completions/clipped_ratio", (double) (all.getCount() - terminated.getCount()) / Math.max(1, all.getCount()));
    metrics.put("completions/mean_terminated_length", terminated.getAverage());
    metrics.put("completions/min_terminated_length", least(terminated));
    metrics.put("completions/max_terminated_length", most(terminated));
  }

  private static IntSummaryStatistics lengths(Stream<ScoredEpisode> episodes) {
    return episodes.mapToInt(scored -> scored.episode().tokenIds().length).summaryStatistics();
  }

  private static long least(IntSummaryStatistics lengths) {
    return lengths.getCount() == 0 ? 0 : lengths.getMin();
  }

  private static long most(IntSummaryStatistics lengths) {
    return lengths.getCount() == 0 ? 0 : lengths.getMax();
  }
}
