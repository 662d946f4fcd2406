package io.github.grpo4j.train;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.grpo4j.data.Problem;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.FinishReason;
import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.episode.ScoredEpisode;
import io.github.grpo4j.track.Metrics;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class StepReportTest {
  @Test
  void rewardsAreReportedAsAWholeAndInParts() {
    List<Reward> rewards = List.of(Reward.of(1.1, true, 1, "4"), Reward.of(0.1, false, 1, "5"), Reward.of(0, false, 0, null));
    Metrics metrics = new Metrics();
    StepReport.putRewards(metrics, rewards, 0.25);
    Map<String, Number> values = metrics.asMap();
    assertEquals(0.4, values.get("reward").doubleValue(), 1e-12);
    assertEquals(0.6082762530298219, values.get("reward_std").doubleValue(), 1e-12);
    assertEquals(1.0 / 3, values.get("rewards/answer/mean").doubleValue(), 1e-12);
    assertEquals(2.0 / 3, values.get("rewards/format/mean").doubleValue(), 1e-12);
    assertEquals(0.25, values.get("frac_reward_zero_std").doubleValue());
  }

  @Test
  void lengthsAreReportedWithAndWithoutTheTruncatedOnes() {
    Map<String, Number> values = lengths(episode(4, true), episode(30, false), episode(8, true), episode(30, false));
    assertEquals(18.0, values.get("completions/mean_length"));
    assertEquals(4L, values.get("completions/min_length"));
    assertEquals(30L, values.get("completions/max_length"));
    assertEquals(0.5, values.get("completions/clipped_ratio"));
    assertEquals(6.0, values.get("completions/mean_terminated_length"));
    assertEquals(4L, values.get("completions/min_terminated_length"));
    assertEquals(8L, values.get("completions/max_terminated_length"));
  }

  @Test
  void lengthsOfNoCompletionAreZero() {
    Map<String, Number> truncated = lengths(episode(30, false));
    assertEquals(0L, truncated.get("completions/min_terminated_length"));
    assertEquals(0L, truncated.get("completions/max_terminated_length"));
    assertEquals(0.0, truncated.get("completions/mean_terminated_length"));
    assertEquals(0L, lengths().get("completions/min_length"));
    assertEquals(0.0, lengths().get("completions/clipped_ratio"));
  }

  private static Map<String, Number> lengths(ScoredEpisode... episodes) {
    Metrics metrics = new Metrics();
    StepReport.putCompletions(metrics, List.of(episodes));
    return metrics.asMap();
  }

  private static ScoredEpisode episode(int tokens, boolean finished) {
    Episode episode = new Episode(0, 0, new int[] {1}, new int[tokens], new float[tokens], new float[tokens],
        finished ? FinishReason.EOS : FinishReason.LENGTH, "");
    return new ScoredEpisode(episode, new Problem(0, "1+1", "2", null), 0, Reward.of(0, false, 0, null));
  }
}
