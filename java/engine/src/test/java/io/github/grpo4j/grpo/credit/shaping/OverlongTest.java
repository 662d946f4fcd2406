package io.github.grpo4j.grpo.credit.shaping;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.grpo.credit.CreditPipeline;
import io.github.grpo4j.grpo.credit.Credits;
import io.github.grpo4j.grpo.credit.Evidence;
import io.github.grpo4j.grpo.credit.RewardShaping;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.grpo.credit.advantage.MeanCentred;
import io.github.grpo4j.grpo.credit.grouping.ByQuestion;
import io.github.grpo4j.grpo.credit.weighting.Unweighted;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Completions of 20, 17, 18, 20 and 1 tokens where 20 are allowed; the first and the fourth were truncated. */
class OverlongTest {
  private static final int[] LENGTHS = {20, 17, 18, 20, 1};
  private static final double NAN = Double.NaN;

  @Test
  void keptCompletionsAreAsTheyWere() {
    RewardTable table = table(1, 1, 0, 0, 0);
    assertSame(table, new Keep().shape(table, Evidence.NONE, new HashMap<>()));
  }

  /** Of 1, 0, 0 the mean is 1/3; with the truncated ones it would be 2/5. */
  @Test
  void droppedCompletionsLeaveStatisticsAndLoss() {
    Credits credits = credits(new DropTruncated(), table(1, 1, 0, 0, 0));
    assertArrayEquals(new double[] {0, 2 / 3.0, -1 / 3.0, 0, -1 / 3.0}, credits.advantages(), 1e-15);
    assertArrayEquals(new boolean[] {true, false, false, true, false}, credits.masked());
    assertEquals(Map.of("overlong/dropped", 0.4), credits.metrics());
  }

  @Test
  void maskedCompletionsLeaveTheLossAlone() {
    Credits credits = credits(new MaskTruncated(), table(1, 1, 0, 0, 0));
    assertArrayEquals(new double[] {0.6, 0.6, -0.4, -0.4, -0.4}, credits.advantages(), 1e-15);
    assertArrayEquals(new boolean[] {true, false, false, true, false}, credits.masked());
    assertEquals(Map.of("overlong/masked", 0.4), credits.metrics());
  }

  /** A buffer of 4 begins after 16 tokens: 17 cost 1/4, 18 cost 2/4, 20 all of it. */
  @Test
  void aSoftPenaltyGrowsOverTheBuffer() {
    Map<String, Double> metrics = new HashMap<>();
    RewardTable table = new SoftPenalty(4, 0.5).shape(table(1, 1, 0, -2, 0), Evidence.NONE, metrics);
    assertEquals(List.of("reward", "overlong"), table.names());
    assertArrayEquals(new double[] {-1, -0.25, -0.5, -1, 0}, table.column(1), 0);
    assertArrayEquals(new double[] {0.5, 0.875, -0.25, -2.5, 0}, table.totals(), 0);
    assertEquals(-2.75 / 5, metrics.get("rewards/overlong/mean"), 1e-15);
    assertArrayEquals(table.column(1), new SoftPenalty().shape(table(1, 1, 0, -2, 0), Evidence.NONE, metrics).column(1), 0,
        "a fifth of 20 is 4");
  }

  @Test
  void aBufferIsTheLimitAtMost() {
    RewardTable table = new SoftPenalty(1000, 1).shape(table(0, 0, 0, 0, 0), Evidence.NONE, new HashMap<>());
    assertArrayEquals(new double[] {-1, -0.85, -0.9, -1, -0.05}, table.column(1), 1e-15);
  }

  @Test
  void whatHasNoRewardStaysWithout() {
    for (RewardShaping shaping : List.of(new Keep(), new DropTruncated(), new MaskTruncated(), new SoftPenalty())) {
      Credits credits = credits(shaping, table(NAN, NAN, 1, NAN, 0));
      assertEquals(0, credits.advantages()[1], shaping.toString());
      assertTrue(credits.masked()[0] && credits.masked()[1], shaping.toString());
      assertEquals(0.6, credits.metrics().get("rewards/unscored"), shaping.toString());
      Credits none = credits(shaping, table(NAN, NAN, NAN, NAN, Double.POSITIVE_INFINITY));
      assertArrayEquals(new double[5], none.advantages(), 0, shaping.toString());
      assertTrue(none.metrics().values().stream().noneMatch(value -> value.isNaN()), shaping.toString());
    }
  }

  @Test
  void whereAllAreTruncatedNothingIsLeftToTrainOn() {
    RewardTable table = table(1, 1, 0, 0, 0);
    RewardTable cut = new RewardTable(table.group(), table.problem(), table.names(), table.parts(), table.weights(), table.correct(),
        LENGTHS, 20, new boolean[5], new boolean[5]);
    Credits credits = credits(new DropTruncated(), cut);
    assertArrayEquals(new double[5], credits.advantages(), 0);
    assertArrayEquals(new boolean[] {true, true, true, true, true}, credits.masked());
    assertEquals(1.0, credits.metrics().get("overlong/dropped"));
    assertArrayEquals(new boolean[] {true, true, true, true, true}, credits(new MaskTruncated(), cut).masked());
  }

  @Test
  void oneCompletionThatIsLeftTeachesNothing() {
    RewardTable table = RewardTable.of(new int[2], new double[] {1, 0});
    RewardTable cut = new RewardTable(table.group(), table.problem(), table.names(), table.parts(), table.weights(), table.correct(),
        table.tokens(), 1, new boolean[] {true, false}, new boolean[2]);
    assertArrayEquals(new double[2], credits(new DropTruncated(), cut).advantages(), 0);
  }

  @Test
  void kindsAreFoundByName() {
    assertEquals(List.of("keep", "drop", "mask", "soft_penalty", "kl", "similarity"), Shapings.REGISTRY.names());
    String message = assertThrows(IllegalArgumentException.class, () -> new SoftPenalty(-1, 1)).getMessage();
    assertTrue(message.startsWith("buffer is -1"), message);
    message = assertThrows(IllegalArgumentException.class, () -> new SoftPenalty(1, 0)).getMessage();
    assertTrue(message.startsWith("factor is 0"), message);
  }

  private static Credits credits(RewardShaping overlong, RewardTable table) {
    return new CreditPipeline(overlong, List.of(), new ByQuestion(), new MeanCentred(), new Unweighted()).assign(table, Evidence.NONE);
  }

  private static RewardTable table(double... rewards) {
    RewardTable table = RewardTable.of(new int[5], rewards);
    return new RewardTable(table.group(), table.problem(), table.names(), table.parts(), table.weights(), table.correct(), LENGTHS, 20,
        new boolean[] {false, true, true, false, true}, new boolean[5]);
  }
}
