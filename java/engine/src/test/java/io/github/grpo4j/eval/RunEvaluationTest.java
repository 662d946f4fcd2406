package io.github.grpo4j.eval;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.config.ConfigLoader;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.episode.ScoredEpisode;
import io.github.grpo4j.rollout.RolloutListener;
import io.github.grpo4j.session.RunAssembly;
import io.github.grpo4j.session.RunInputs;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a run's evaluations sample: one greedy completion a problem, and others at the temperature of training. */
class RunEvaluationTest {
  private static final int PROBLEMS = 2;

  private static RunConfig config(String... assignments) {
    return ConfigLoader.parse("""
        model: {path: "builtin:tiny"}
        data: {kind: synthetic, eval_limit: %d, max_prompt_tokens: 96}
        prompt: {chat: false, system: "", user: "{question}\\n", response_prefix: ""}
        rollout: {max_new_tokens: 10, temperature: 1000}
        training: {eval_samples: 3}
        reward: {function: gsm8k}
        """.formatted(PROBLEMS), "test", List.of(assignments));
  }

  private static RunEvaluation.Measurement measure(String... assignments) {
    try (RunInputs inputs = RunInputs.open(config(assignments)); RunAssembly assembly = new RunAssembly(inputs, inputs.scorer(), 0, 3 * PROBLEMS)) {
      return new RunEvaluation(assembly).measure(() -> RolloutListener.NONE);
    }
  }

  @Test
  void sampledCompletionsHaveTheTemperatureOfTraining() {
    RunEvaluation.Measurement measured = measure();
    assertEquals(3 * PROBLEMS, measured.sampledCompletions().size());
    for (ScoredEpisode scored : measured.sampledCompletions()) {
      for (float logprob : scored.episode().logprobs()) {
        assertEquals(-Math.log(512), logprob, 0.1, "every token is as likely as any other of the 512");
      }
    }
    assertFalse(measure("training.eval_samples=0").sampled().isPresent());
  }

  @Test
  void greedyCompletionsDependOnNoRandomNumber() {
    List<ScoredEpisode> first = measure("training.eval_samples=0").greedy().completions();
    List<ScoredEpisode> other = measure("training.eval_samples=0", "training.seed=5").greedy().completions();
    assertEquals(PROBLEMS, first.size());
    for (int i = 0; i < PROBLEMS; i++) {
      assertArrayEquals(first.get(i).episode().tokenIds(), other.get(i).episode().tokenIds());
    }
    assertTrue(first.stream().anyMatch(scored -> Arrays.stream(scored.episode().tokenIds()).distinct().count() > 3), "they are sentences");
  }

  @Test
  void isDueAtTheStartEverySoOftenAndAtTheEnd() {
    try (RunInputs inputs = RunInputs.open(config("training.eval_interval=4")); RunAssembly assembly = new RunAssembly(inputs, inputs.scorer(), 0, 1)) {
      RunEvaluation evaluation = new RunEvaluation(assembly);
      assertEquals(List.of(true, false, false, false, true, false, false, true),
          List.of(0, 1, 2, 3, 4, 5, 6, 7).stream().map(step -> evaluation.isDue(step, 7)).toList());
    }
  }
}
