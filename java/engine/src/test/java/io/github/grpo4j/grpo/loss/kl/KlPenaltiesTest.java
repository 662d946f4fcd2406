package io.github.grpo4j.grpo.loss.kl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.grpo4j.grpo.loss.KlPenalty;
import org.junit.jupiter.api.Test;

/** Estimates of the divergence from log-probs of one token, worked by hand. */
class KlPenaltiesTest {
  private static final KlPenalty[] ESTIMATES = {new K1(), new K2(), new K3()};

  /** d = ref - new = 0.5: k1 -0.5, k2 0.125, k3 e^0.5 - 1.5. */
  @Test
  void valuesAndDerivatives() {
    double[] values = {-0.5, 0.125, Math.exp(0.5) - 1.5};
    double[] derivatives = {1, -0.5, 1 - Math.exp(0.5)};
    for (int k = 0; k < 3; k++) {
      assertEquals(values[k], ESTIMATES[k].value(-2, -1.5), 1e-12, ESTIMATES[k].toString());
      assertEquals(derivatives[k], ESTIMATES[k].derivative(-2, -1.5), 1e-12, ESTIMATES[k].toString());
    }
  }

  @Test
  void equalModelsHaveNoDivergence() {
    for (KlPenalty estimate : ESTIMATES) {
      assertEquals(0, estimate.value(-2, -2), 0, estimate.toString());
    }
  }

  @Test
  void differencesAreClampedAtTwenty() {
    double[] values = {-20, 200, Math.expm1(20) - 20};
    for (int k = 0; k < 3; k++) {
      assertEquals(values[k], ESTIMATES[k].value(-1000, 0), 1e-6, ESTIMATES[k].toString());
      assertEquals(0, ESTIMATES[k].derivative(-1000, 0));
      assertEquals(0, ESTIMATES[k].derivative(0, -1000));
    }
  }

  @Test
  void theDefaultKeepsNoReferenceModel() {
    for (String name : KlPenalties.REGISTRY.names()) {
      assertFalse(KlPenalties.REGISTRY.find(name).orElseThrow().isUsed(), name);
    }
    assertThrows(IllegalArgumentException.class, () -> new K3(-1, true, KlPenalty.Where.LOSS));
    assertThrows(IllegalArgumentException.class, () -> new ExactKl(Double.NaN));
  }
}
