package io.github.grpo4j.grpo.loss.surrogate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.grpo.loss.ImportanceLevel;
import io.github.grpo4j.grpo.loss.Surrogate;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Bounds and regions without gradient, worked by hand. */
class ClippingTest {
  @Test
  void ppoClipsWhereTheGradientWouldLeadFurtherAway() {
    Surrogate ppo = new PpoClip(0.2, 0.28);
    double[][] ratioAdvantageLossGradient = {
        {0.5, 2, -1, -2}, {1, 2, -2, -2}, {1.2, 2, -2.4, -2}, {1.5, 2, -2.56, 0},
        {0.5, -2, 1.6, 0}, {0.9, -2, 1.8, 2}, {1.3, -2, 2.6, 2}, {9, -2, 18, 2}, {0.5, 0, 0, 0}};
    check(ppo, ratioAdvantageLossGradient);
    assertTrue(ppo.of(0.5, -2, 0).belowLow());
    assertFalse(ppo.of(0.5, 2, 0).belowLow(), "below the bound, but the gradient is alive");
    assertTrue(ppo.of(1.5, 2, 0).aboveHigh());
    assertFalse(ppo.of(1.5, -2, 0).aboveHigh());
  }

  @Test
  void capAndDualClipBoundTheLossOfBadTokens() {
    check(new PpoClip(0.2, 0.28, 1.5, 1.4, ImportanceLevel.TOKEN), new double[][] {
        {0.5, 2, -1, -2}, {1.5, 2, -2.56, 0}, {0.5, -2, 1.6, 0}, {0.9, -2, 1.8, 2}, {1.3, -2, 2.6, 2}, {1.45, -2, 2.8, 0},
        {9, -2, 2.8, 0}});
    check(new PpoClip(0.2, 0.28, 1.5, 0, ImportanceLevel.TOKEN), new double[][] {{1.45, -2, 2.9, 2}, {5, -2, 3, 0}});
  }

  @Test
  void withoutClippingEveryTokenKeepsItsGradient() {
    check(new Unclipped(), new double[][] {{0.01, 2, -0.02, -2}, {7, 2, -14, -2}, {7, -1, 7, 1}});
  }

  private static void check(Surrogate surrogate, double[][] rows) {
    for (double[] row : rows) {
      Surrogate.Value value = surrogate.of(row[0], row[1], 0);
      assertEquals(row[2], value.loss(), 1e-6, surrogate + " at " + Arrays.toString(row));
      assertEquals(row[3], value.dRatio(), 0, surrogate + " at " + Arrays.toString(row));
    }
  }

  /** The paper's bounds 0.16 and 0.20 by the probability of a token when it was sampled. */
  @Test
  void dynamicBoundsFollowTheOldProbability() {
    DynamicClip dcpo = new DynamicClip();
    double[][] probabilityLowHigh =
        {{1, 0.80, 1.171}, {0.9, 0.769, 1.187}, {0.64, 0.5, 1.25}, {0.5, 0.5, 1.306}, {0.1, 0.5, 2}, {0.01, 0.5, 5}};
    for (double[] row : probabilityLowHigh) {
      assertEquals(row[1], dcpo.low(Math.log(row[0])), 5e-4, "low at " + row[0]);
      assertEquals(row[2], dcpo.high(Math.log(row[0])), 5e-4, "high at " + row[0]);
    }
    assertEquals(10, dcpo.high(Math.log(0.001)), "14.65 is capped");
    DynamicClip uncapped = new DynamicClip(0.16, 0.20, 0.5, 0, 0);
    assertEquals(14.65, uncapped.high(Math.log(0.001)), 5e-3);
    assertTrue(Float.isFinite(uncapped.high(-1000)), "a token of probability 0");
    assertEquals(0.5f, new DynamicClip(0.3, 0.2, 0.5, 10, 10).low(0), "above 0.25 the root is 0 for every token");
    assertEquals(1.7, new DynamicClip(0.2, 1.2, 0.5, 0, 0).high(0), 5e-3);
  }

  @Test
  void dynamicWithoutAFloorHasNoLowerBoundForRareTokens() {
    DynamicClip clip = new DynamicClip(0.16, 0.20, 0, 10, 10);
    assertEquals(0.8f, clip.low(0), 1e-6);
    assertEquals(0, clip.low(Math.log(0.5)));
    assertEquals(1, clip.of(0.01, -1, Math.log(0.5)).dRatio(), "its gradient is alive");
    assertEquals(0, new DynamicClip().of(0.01, -1, Math.log(0.5)).dRatio());
  }

  @Test
  void dynamicGradientIsZeroBeyondTheBoundsOnly() {
    DynamicClip dcpo = new DynamicClip();
    double old = Math.log(0.1); // 0.5 … 2
    check(dcpo, old, new double[][] {{1.9, 1, -1.9, -1}, {2.1, 1, -2, 0}, {0.4, 1, -0.4, -1}, {0.6, -1, 0.6, 1}, {0.4, -1, 0.5, 0},
        {9.9, -1, 9.9, 1}, {11, -1, 10, 0}});
  }

  private static void check(Surrogate surrogate, double old, double[][] rows) {
    for (double[] row : rows) {
      Surrogate.Value value = surrogate.of(row[0], row[1], old);
      assertEquals(row[2], value.loss(), 1e-6, Arrays.toString(row));
      assertEquals(row[3], value.dRatio(), 0, Arrays.toString(row));
    }
  }

  @Test
  void impossibleValuesAreRefusedByTheirKeys() {
    assertMessage("low is 1.5", () -> new PpoClip(1.5, 0.2));
    assertMessage("ratio_cap is 1.1", () -> new PpoClip(0.2, 0.2, 1.1, 0, ImportanceLevel.TOKEN));
    assertMessage("dual_clip is 1.0", () -> new PpoClip(0.2, 0.2, 0, 1, ImportanceLevel.TOKEN));
    assertMessage("dual_clip is 3.0; it must be 0 with level sequence", () -> new PpoClip(0.2, 0.2, 0, 3, ImportanceLevel.SEQUENCE));
    assertMessage("low_floor is 0.3", () -> new DynamicClip(0.16, 0.2, 0.3, 10, 10));
    assertMessage("cap is 0.5", () -> new DynamicClip(0.16, 0.2, 0.5, 0.5, 10));
    assertEquals(List.of("none", "ppo", "dynamic"), Surrogates.REGISTRY.names());
  }

  private static void assertMessage(String begin, org.junit.jupiter.api.function.Executable call) {
    String message = assertThrows(IllegalArgumentException.class, call).getMessage();
    assertTrue(message.startsWith(begin), message);
  }
}
