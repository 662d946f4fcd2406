package io.github.grpo4j.grpo.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class LossMetricsTest {
  private static LossMetrics step(double loss, double ratio, double tokens, double extreme, long events) {
    LossMetrics metrics = new LossMetrics();
    metrics.sum("loss", loss);
    metrics.mean("ratio", ratio * tokens, tokens);
    metrics.min("least", extreme);
    metrics.max("most", extreme);
    metrics.count("events", events);
    return metrics;
  }

  /** Three updates of a rollout: every kind of value, the extreme ones neither first nor last. */
  @Test
  void severalUpdatesBecomeOneRow() {
    Map<String, Double> row = LossMetrics.combined(List.of(step(1, 0.2, 10, 0.5, 1), step(2, 0.4, 1000, 0.1, 0), step(6, 0.6, 1, 0.4, 4)));
    assertEquals(3, row.get("loss"), 1e-12, "the mean over the updates");
    assertEquals(0.4, row.get("ratio"), 1e-12, "each update counts the same, whatever its tokens");
    assertEquals(0.1, row.get("least"));
    assertEquals(0.5, row.get("most"));
    assertEquals(5, row.get("events"), "events add up");
    Map<String, Double> inTheMiddle = LossMetrics.combined(List.of(step(0, 0, 1, 0.2, 0), step(0, 0, 1, 0.9, 0), step(0, 0, 1, 0.3, 0)));
    assertEquals(0.9, inTheMiddle.get("most"));
    assertEquals(0.2, inTheMiddle.get("least"));
  }

  @Test
  void aMeanOrExtremeOfNothingIsZero() {
    LossMetrics metrics = new LossMetrics();
    metrics.mean("ratio", 0, 0);
    metrics.min("least", Double.POSITIVE_INFINITY);
    assertEquals(Map.of("ratio", 0.0, "least", 0.0), metrics.toMap());
  }
}
