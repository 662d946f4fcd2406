package io.github.grpo4j.grpo.credit.shaping;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.grpo.credit.Evidence;
import io.github.grpo4j.grpo.credit.RewardTable;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class KlInRewardTest {
  private static final float INFINITE = Float.NEGATIVE_INFINITY;

  /** k1 is (-1 + 2) + (-0.5 + 0.25) = 0.75 for the first and -2 for the one token of the second. */
  @Test
  void theDivergenceIsAPartOfItsOwn() {
    Map<String, Double> metrics = new HashMap<>();
    RewardTable table = new KlInReward(0.1).shape(RewardTable.of(new int[2], new double[] {1, -1}),
        evidence(new float[][] {{-1, -0.5f}, {-3}}, new float[][] {{-2, -0.25f}, {-1}}), metrics);
    assertEquals(List.of("reward", "kl"), table.names());
    assertArrayEquals(new double[] {0.75, -2}, table.column(1), 0);
    assertArrayEquals(new double[] {1 - 0.075, -1 + 0.2}, table.totals(), 1e-15);
    assertEquals(-0.625, metrics.get("rewards/kl/mean"));
    assertEquals(2.75 / Math.sqrt(2), metrics.get("rewards/kl/std"), 1e-15);
  }

  @Test
  void aTokenThatTheReferenceRulesOutIsClampedAndOneWithoutANumberLeftOut() {
    RewardTable table = new KlInReward(1).shape(RewardTable.of(new int[2], new double[2]),
        evidence(new float[][] {{-1, -1, -1}, {INFINITE, -1}}, new float[][] {{INFINITE, Float.NaN, -2}, {-1, -1}}), new HashMap<>());
    assertArrayEquals(new double[] {21, -20}, table.column(1), 0);
  }

  /** Or the divergence would be its only reward. */
  @Test
  void anEpisodeWithoutRewardStaysOne() {
    Map<String, Double> metrics = new HashMap<>();
    RewardTable table = new KlInReward(1).shape(RewardTable.of(new int[2], new double[] {Double.NaN, 1}),
        evidence(new float[][] {{-1}, {-1}}, new float[][] {{-2}, {-2}}), metrics);
    assertArrayEquals(new double[] {Double.NaN, 0}, table.totals(), 0);
    assertEquals(1.0, metrics.get("rewards/kl/mean"));
    metrics.clear();
    new KlInReward(1).shape(RewardTable.of(new int[1], new double[] {Double.NaN}), Evidence.NONE, metrics);
    assertEquals(Map.of(), metrics);
  }

  @Test
  void aReferenceModelIsAskedFor() {
    assertTrue(new KlInReward().needsReference());
    String message = assertThrows(IllegalArgumentException.class, () -> new KlInReward(-1)).getMessage();
    assertTrue(message.startsWith("coef is -1"), message);
  }

  private static Evidence evidence(float[][] logprobs, float[][] reference) {
    return new Evidence() {
      @Override
      public float[][] features(FeatureRequest request) {
        throw new AssertionError("no hidden states are needed");
      }

      @Override
      public float[] logprobs(int episode) {
        return logprobs[episode];
      }

      @Override
      public float[] referenceLogprobs(int episode) {
        return reference[episode];
      }
    };
  }
}
