package io.github.grpo4j.eval;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class AccuracyIntervalTest {
  /**
   * By hand, z = 1.9599640: the centre is (p + z² / 2n) / (1 + z² / n), half the width z sqrt(p (1 - p) / n + z² / 4n²) / (1 + z² / n). For 8
   * of 10, z² / n is 0.3841459: (0.8 + 0.1920729) / 1.3841459 = 0.7167401, and 1.9599640 · 0.1600114 / 1.3841459 = 0.2265764.
   */
  @Test
  void wilsonsIntervalOf95Percent() {
    AccuracyInterval eightOfTen = AccuracyInterval.of(8, 10);
    assertEquals(0.7167401 - 0.2265764, eightOfTen.low(), 2e-6);
    assertEquals(0.7167401 + 0.2265764, eightOfTen.high(), 2e-6);
    assertEquals(0.8, eightOfTen.accuracy());
    AccuracyInterval none = AccuracyInterval.of(0, 10);
    assertEquals(0, none.low(), 1e-12);
    assertEquals(3.841459 / 13.841459, none.high(), 1e-6);
    AccuracyInterval all = AccuracyInterval.of(1319, 1319);
    assertEquals(1, all.high(), 1e-12);
    assertEquals(1319 / (1319 + 3.841459), all.low(), 1e-6);
  }

  @Test
  void ofNothingAnythingIsPossible() {
    assertEquals(new AccuracyInterval(0, 0, 0, 1), AccuracyInterval.of(0, 0));
  }
}
