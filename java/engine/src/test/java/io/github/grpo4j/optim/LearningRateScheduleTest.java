package io.github.grpo4j.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.grpo4j.testing.Fixtures;
import java.io.IOException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LearningRateScheduleTest {
  @Tag("fixtures")
  @ParameterizedTest
  @ValueSource(strings = {"constant", "constant_with_warmup", "linear", "cosine"})
  void matchesHuggingFace(String name) throws IOException {
    JsonNode json = Fixtures.json("adamw/lr_schedules.json");
    double peak = json.get("lr").asDouble();
    int warmup = json.get("warmup_steps").asInt();
    int total = json.get("total_steps").asInt();
    LearningRateSchedule schedule = switch (name) {
      case "constant" -> new LearningRateSchedule.Constant(peak, 0);
      case "constant_with_warmup" -> new LearningRateSchedule.Constant(peak, warmup);
      case "linear" -> new LearningRateSchedule.Linear(peak, warmup, total, 0);
      default -> new LearningRateSchedule.Cosine(peak, warmup, total, 0);
    };
    JsonNode values = json.get("schedules").get(name);
    assertEquals(total, values.size());
    for (int i = 0; i < total; i++) {
      assertEquals(values.get(i).asDouble(), schedule.at(i), 1e-15, name + " at step " + i);
    }
  }

  @Test
  void decaysToItsMinimumAndStaysThere() {
    for (LearningRateSchedule schedule : new LearningRateSchedule[] {
        new LearningRateSchedule.Linear(2, 5, 80, 0.1), new LearningRateSchedule.Cosine(2, 5, 80, 0.1)}) {
      assertEquals(2, schedule.at(5), 1e-15);
      assertEquals(1.1, schedule.at(5 + 75 / 2) / 2 + schedule.at(80 - 75 / 2) / 2, 1e-12, "half way down, by symmetry");
      assertEquals(0.2, schedule.at(80), 1e-15);
      assertEquals(0.2, schedule.at(1000), 1e-15);
    }
  }

  @Test
  void aRunShorterThanItsWarmUpIsDefined() {
    assertEquals(1, new LearningRateSchedule.Linear(2, 10, 5, 0).at(5), 1e-15);
    assertEquals(2, new LearningRateSchedule.Linear(2, 10, 5, 0).at(10), 1e-15);
  }
}
