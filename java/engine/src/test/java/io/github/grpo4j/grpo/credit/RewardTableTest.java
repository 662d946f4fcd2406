package io.github.grpo4j.grpo.credit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.data.Problem;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.FinishReason;
import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.episode.ScoredEpisode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RewardTableTest {
  @Test
  void totalsAreWeightedSumsOfThePartsThatApply() {
    RewardTable table = RewardTable.of(new int[4], new double[] {1, Double.NaN, Double.NaN, 2})
        .withPart("format", 0.1, new double[] {0.5, 1, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY});
    assertArrayEquals(new double[] {1.05, 0.1, Double.NaN, 2}, table.totals(), 0);
    assertArrayEquals(new boolean[] {false, false, true, false}, table.unscored());
    assertArrayEquals(new double[] {0.5, 1, Double.NaN, Double.NaN}, table.column(1), 0);
  }

  @Test
  void aSumThatIsNoNumberIsNoReward() {
    RewardTable table = RewardTable.of(new int[1], new double[] {1.7e308}).withPart("more", 1, new double[] {1.7e308});
    assertArrayEquals(new double[] {Double.NaN}, table.totals(), 0);
  }

  @Test
  void episodesThatAreTakenOutLoseTheirRewardsAndLeaveTheLoss() {
    RewardTable table = RewardTable.of(new int[3], new double[] {1, 2, 3}).withMasked(new boolean[] {true, false, false});
    RewardTable left = table.without(new boolean[] {false, false, true});
    assertArrayEquals(new double[] {1, 2, Double.NaN}, left.totals(), 0);
    assertArrayEquals(new boolean[] {true, false, true}, left.masked());
    assertArrayEquals(new double[] {1, 2, 3}, table.totals(), 0, "the table it came from is unchanged");
  }

  @Test
  void columnsMustFit() {
    assertThrows(IllegalArgumentException.class, () -> RewardTable.of(new int[2], new double[3]));
    assertThrows(IllegalArgumentException.class, () -> RewardTable.of(new int[] {-1}, new double[1]));
    assertThrows(IllegalArgumentException.class, () -> new RewardTable(new int[1], new int[1], List.of("a", "b"), new double[1][2],
        new double[3], new double[1], new int[1], 1, new boolean[1], new boolean[1]));
    assertThrows(IllegalArgumentException.class, () -> new RewardTable(new int[1], new int[1], List.of("a"), new double[1][2],
        new double[2], new double[1], new int[1], 1, new boolean[1], new boolean[1]));
  }

  @Test
  void aTableOfScoredEpisodesHasTheirPartsAndTheirTotalsToTheBit() {
    List<Reward> rewards = List.of(Reward.of(1 + 0.1 * 0.6, true, 0.6, "4"), Reward.of(0.1 * 0.5, false, 0.5, null));
    RewardTable table = RewardTables.of(
        List.of(episode(7, 3, 2, true, rewards.get(0)), episode(7, 3, 5, false, rewards.get(1))), rewards, weights(1, 0.1), 5);
    assertEquals(List.of("answer", "format"), table.names());
    assertArrayEquals(new double[] {rewards.get(0).total(), rewards.get(1).total()}, table.totals(), 0);
    assertArrayEquals(new int[] {3, 3}, table.group());
    assertArrayEquals(new int[] {7, 7}, table.problem());
    assertArrayEquals(new double[] {1, 0}, table.correct(), 0);
    assertArrayEquals(new int[] {2, 5}, table.tokens());
    assertArrayEquals(new boolean[] {true, false}, table.finished());
    assertEquals(5, table.maxTokens());
  }

  /** Or an answer of weight 0 would make a reward of an episode that no function could judge. */
  @Test
  void aPartOfWeightZeroIsLeftOut() {
    List<Reward> rewards = List.of(Reward.of(1, true, 1, "4"));
    assertEquals(List.of("format"), RewardTables.of(List.of(episode(0, 0, 1, true, rewards.get(0))), rewards, weights(0, 1), 5).names());
  }

  @Test
  void whereWeightsAreNotKnownTheTotalIsTheOnlyPart() {
    List<Reward> rewards = List.of(new Reward(0.7, Map.of("mine", 3.0), null, false, null));
    List<ScoredEpisode> episodes = List.of(episode(0, 0, 1, true, rewards.get(0)));
    RewardTable table = RewardTables.of(episodes, rewards, Map.of(), 5);
    assertEquals(List.of("total"), table.names());
    assertArrayEquals(new double[] {0.7}, table.totals(), 0);
    assertTrue(RewardTables.of(episodes, rewards, weights(1, 0), 5).unscored()[0], "a part that is not there does not apply");
  }

  private static Map<String, Double> weights(double answer, double format) {
    Map<String, Double> weights = new LinkedHashMap<>();
    weights.put(Reward.ANSWER, answer);
    weights.put(Reward.FORMAT, format);
    return weights;
  }

  private static ScoredEpisode episode(int problem, int group, int tokens, boolean finished, Reward reward) {
    Episode episode = new Episode(problem, 0, new int[] {1}, new int[tokens], new float[tokens], new float[tokens],
        finished ? FinishReason.EOS : FinishReason.LENGTH, "");
    return new ScoredEpisode(episode, new Problem(problem, "1+1", "2", null), group, reward);
  }
}
