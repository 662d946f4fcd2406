package io.github.grpo4j.eval;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.config.ConfigLoader;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.rollout.RolloutListener;
import io.github.grpo4j.rollout.RolloutRequest;
import io.github.grpo4j.rollout.SamplingParams;
import io.github.grpo4j.session.RunAssembly;
import io.github.grpo4j.session.RunInputs;
import io.github.grpo4j.testing.TestBackends;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Measuring a model writes completions when they end, so that stopping loses none. */
class EvaluationTest {
  private static final int PROBLEMS = TestBackends.sized(12, 3);
  private static final RunConfig CONFIG = ConfigLoader.parse("""
      model: {path: "builtin:tiny"}
      data: {kind: synthetic, eval_limit: %d, max_prompt_tokens: 96}
      prompt: {chat: false, system: "", user: "{question}\\n", response_prefix: ""}
      rollout: {max_new_tokens: 24, max_batch: 2}
      reward: {kind: gsm8k}
      """.formatted(PROBLEMS), "test", List.of());

  @TempDir Path folder;

  @Test
  void aStoppedEvaluationKeepsTheAnswersThatEnded() throws IOException {
    Path whole = folder.resolve("whole.jsonl");
    Path stopped = folder.resolve("stopped.jsonl");
    int[] ended = new int[1];
    RolloutListener stopSoon = new RolloutListener() {
      @Override
      public void progress(int finished, int total, long newTokens) {
        assertEquals(PROBLEMS, total);
        if (finished >= PROBLEMS / 2) {
          ended[0] = finished;
          throw new CancellationException();
        }
      }
    };
    try (Evaluation evaluation = Evaluation.open(CONFIG, 1)) {
      SamplingParams greedy = SamplingParams.greedy(24);
      Evaluator.Result result = evaluation.run(greedy, RolloutListener.NONE, whole);
      assertEquals(PROBLEMS, result.completions().size());
      assertEquals(List.of(0, PROBLEMS - 1), List.of(result.completions().get(0).group(), result.completions().get(PROBLEMS - 1).group()),
          "in the order of the problems, whichever ended first");
      assertThrows(CancellationException.class, () -> evaluation.run(greedy, stopSoon, stopped));
      assertEquals(result.accuracy(), evaluation.run(greedy, RolloutListener.NONE).accuracy(), "it can go on after a stop");
    }
    List<String> all = Files.readAllLines(whole);
    assertEquals(PROBLEMS, all.size());
    assertTrue(ended[0] < PROBLEMS, "stopped before the end");
    assertEquals(all.subList(0, ended[0]), Files.readAllLines(stopped));
  }

  /** Of the same seed and problems: else an evaluation would tell of luck that training has had, or be different luck each time. */
  @Test
  void itsRandomNumbersAreItsOwnAndAlwaysTheSame() {
    try (RunInputs inputs = RunInputs.open(CONFIG); RunAssembly assembly = new RunAssembly(inputs, inputs.scorer(), 0, PROBLEMS)) {
      SamplingParams params = SamplingParams.atTemperature(1.5f, 24);
      List<int[]> evaluated = tokens(Evaluator.of(assembly).evaluate(inputs.evalProblems(), params, 1, RolloutListener.NONE));
      List<int[]> again = tokens(Evaluator.of(assembly).evaluate(inputs.evalProblems(), params, 1, RolloutListener.NONE));
      for (int i = 0; i < PROBLEMS; i++) {
        assertArrayEquals(evaluated.get(i), again.get(i));
      }
      List<RolloutRequest> requests = IntStream.range(0, PROBLEMS)
          .mapToObj(i -> new RolloutRequest(inputs.evalProblems().get(i).problem().index(), inputs.evalProblems().get(i).ids(), 1)).toList();
      for (int step = 0; step < 3; step++) {
        List<Episode> trained = assembly.generator().generate(requests, params, CONFIG.training().seed(), step, RolloutListener.NONE).episodes();
        assertTrue(IntStream.range(0, PROBLEMS).filter(i -> Arrays.equals(trained.get(i).tokenIds(), evaluated.get(i))).count() < PROBLEMS / 2.0,
            "step " + step + " has the evaluation's random numbers");
      }
      Evaluator other = new Evaluator(assembly.generator(), assembly.scorer(), CONFIG.training().seed() + 1);
      List<int[]> otherSeed = tokens(other.evaluate(inputs.evalProblems(), params, 1, RolloutListener.NONE));
      assertTrue(IntStream.range(0, PROBLEMS).anyMatch(i -> !Arrays.equals(otherSeed.get(i), evaluated.get(i))), "the seed plays a part");
    }
  }

  private static List<int[]> tokens(Evaluator.Result result) {
    return result.completions().stream().map(scored -> scored.episode().tokenIds()).toList();
  }
}
