package io.github.grpo4j.bench;

import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.rollout.Generator;
import io.github.grpo4j.rollout.RolloutListener;
import io.github.grpo4j.rollout.RolloutRequest;
import io.github.grpo4j.rollout.RolloutStats;
import io.github.grpo4j.rollout.SamplingParams;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Speed of generation: a number of independent sequences, each with a prompt of its own that is prefilled whole, sampled at
 * temperature 1 to a fixed length.
 *
 * <p>How tokens are counted: a prompt's last token is the input of the first decoding step, so a prompt of P tokens counts as
 * P - 1 in the prefill, and N new tokens are N decoding steps, the sampling included.
 */
public final class RolloutBench {
  /**
   * @param promptTokens of each sequence
   * @param newTokens of each sequence
   * @param repeats that the median is taken of
   */
  public record Shape(int promptTokens, int newTokens, int repeats) {
    public Shape {
      Workload.require(promptTokens >= 2, "the number of prompt tokens", promptTokens, "at least 2");
      Workload.require(newTokens >= 1, "the number of new tokens", newTokens, "at least 1");
      Workload.require(repeats >= 1, "the number of repeats", repeats, "at least 1");
    }

    public int sequenceTokens() {
      return promptTokens + newTokens;
    }
  }

  /**
   * Medians over the repeats.
   *
   * @param answers sequences decoded together
   */
  public record Result(int answers, double promptTokensPerSecond, double decodeTokensPerSecond) {}

  private static final int WARM_UP_TOKENS = 8;

  private RolloutBench() {}

  /**
   * Runs once for warm-up and then the repeats.
   *
   * @param model opened for at least {@link Shape#sequenceTokens} positions
   */
  public static Result measure(CausalLm model, int answers, Shape shape) {
    Workload.require(answers >= 1, "the number of answers", answers, "at least 1");
    List<RolloutRequest> requests = Workload.requests(model.config(), answers, shape.promptTokens(), 1);
    List<Double> prompt = new ArrayList<>();
    List<Double> decode = new ArrayList<>();
    Generator.Limits limits = Generator.Limits.of(answers, shape.sequenceTokens());
    try (Generator generator = new Generator(model, limits, Set.of(), model.config().vocabSize(), ids -> "")) {
      run(generator, requests, Math.min(WARM_UP_TOKENS, shape.newTokens()), 0);
      for (int repeat = 1; repeat <= shape.repeats(); repeat++) {
        RolloutStats stats = run(generator, requests, shape.newTokens(), repeat);
        prompt.add(stats.promptTokens() / stats.prefillSeconds());
        decode.add(stats.newTokens() / (stats.decodeSeconds() + stats.sampleSeconds()));
      }
    }
    return new Result(answers, Workload.median(prompt), Workload.median(decode));
  }

  private static RolloutStats run(Generator generator, List<RolloutRequest> requests, int newTokens, int step) {
    return generator.generate(requests, SamplingParams.atTemperature(1, newTokens), 0, step, RolloutListener.NONE).stats();
  }
}
