package io.github.grpo4j.config;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.grpo4j.rollout.SamplingParams;
import java.util.List;
import org.junit.jupiter.api.Test;

class RolloutOptionsTest {
  @Test
  void everyOptionOfSamplingArrives() {
    RunConfig config = ConfigLoader.parse(
        "rollout: {max_new_tokens: 17, temperature: 0.9, top_k: 5, top_p: 0.75, min_p: 0.125, repetition_penalty: 1.5}", "test", List.of());
    assertEquals(new SamplingParams(0.9f, 5, 0.75f, 0.125f, 1.5f, 17), config.rollout().sampling());
  }
}
