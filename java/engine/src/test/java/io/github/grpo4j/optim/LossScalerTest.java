package io.github.grpo4j.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.grpo4j.backend.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LossScalerTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  private static LossScaler fp16(String option) {
    return LossScaler.of(option, DType.F16);
  }

  private static void good(LossScaler scaler, int steps) {
    for (int i = 0; i < steps; i++) {
      scaler.update(false);
    }
  }

  @Test
  void theFactorFallsAtOnceAndRisesAfterTwoThousandGoodSteps() {
    LossScaler scaler = fp16("dynamic");
    assertEquals(65536, scaler.scale());
    scaler.update(true);
    scaler.update(true);
    assertEquals(16384, scaler.scale());
    good(scaler, 1999);
    assertEquals(16384, scaler.scale());
    good(scaler, 1);
    assertEquals(32768, scaler.scale());
    good(scaler, 2000);
    assertEquals(65536, scaler.scale());
  }

  @Test
  void goodStepsCountInARowOnly() {
    LossScaler scaler = fp16("dynamic");
    good(scaler, 1999);
    scaler.update(true);
    assertEquals(32768, scaler.scale());
    good(scaler, 1999);
    assertEquals(32768, scaler.scale());
    good(scaler, 1);
    assertEquals(65536, scaler.scale());
  }

  @Test
  void theFactorStaysBetweenOneAndTwoToTheTwentyFourth() {
    LossScaler scaler = fp16("dynamic");
    for (int i = 0; i < 16; i++) {
      scaler.update(true);
    }
    assertEquals(1, scaler.scale());
    scaler.update(true);
    assertEquals(1, scaler.scale());
    good(scaler, 24 * 2000);
    assertEquals(16_777_216, scaler.scale());
    good(scaler, 2000);
    assertEquals(16_777_216, scaler.scale());
  }

  @Test
  void aNumberStaysWhatItIs() {
    LossScaler scaler = fp16("1024");
    assertTrue(scaler.isUsed());
    scaler.update(true);
    good(scaler, 2000);
    assertEquals(1024, scaler.scale());
  }

  @Test
  void onlyFp16HasAFactor() {
    for (LossScaler scaler : new LossScaler[] {fp16("off"), LossScaler.of("dynamic", DType.BF16), LossScaler.of("1024", DType.F32)}) {
      assertFalse(scaler.isUsed());
      scaler.update(true);
      good(scaler, 2000);
      assertEquals(1, scaler.scale());
    }
  }

  @Test
  void aRestoredFactorGoesOnWhereItWas() throws JsonProcessingException {
    LossScaler scaler = fp16("dynamic");
    scaler.update(true);
    good(scaler, 7);
    String saved = scaler.save().toString();
    assertEquals("{\"scale\":32768.0,\"good_steps\":7}", saved);
    LossScaler restored = fp16("dynamic");
    restored.load(JSON.readTree(saved));
    assertEquals(32768, restored.scale());
    good(restored, 1992);
    assertEquals(32768, restored.scale());
    good(restored, 1);
    assertEquals(65536, restored.scale());
    LossScaler fixed = fp16("8");
    fixed.load(JSON.readTree(saved));
    assertEquals(8, fixed.scale());
  }

  @ParameterizedTest
  @ValueSource(strings = {"{}", "{\"scale\": 1}", "{\"scale\": 0, \"good_steps\": 0}", "{\"scale\": 2, \"good_steps\": 2000}", "3"})
  void aStateThatCannotBeOneIsRefused(String state) throws JsonProcessingException {
    LossScaler scaler = fp16("dynamic");
    String message = assertThrows(IllegalArgumentException.class, () -> scaler.load(JSON.readTree(state))).getMessage();
    assertTrue(message.startsWith("the loss scale of a checkpoint is "), message);
    assertEquals(65536, scaler.scale());
  }

  @Test
  void whatTheOptionMayBe() {
    for (String option : new String[] {"dynamic", "off", "1", "65536", "0.5"}) {
      assertTrue(LossScaler.isOption(option), option);
    }
    for (String option : new String[] {"", "on", "0", "-1", "NaN", "Infinity", "1e999"}) {
      assertFalse(LossScaler.isOption(option), option);
    }
  }
}
