package io.github.grpo4j.bench;

import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.rollout.Generator;
import io.github.grpo4j.rollout.RolloutListener;
import io.github.grpo4j.rollout.RolloutRequest;
import io.github.grpo4j.rollout.SamplingParams;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Speed of generation: a number of independent sequences, each with a prompt of its own that is prefilled whole, sampled at
 * temperature 1 to a fixed length.
 *
 * <p>How tokens are counted: a prompt's last token is the input of the first decoding step, so a prompt of P tokens counts as
 * P - 1 in the prefill, and N new tokens are N decoding steps, the sampling included. How time is: by the clock from outside, from
 * the call to the moment the first token is known, and from there to the end, which is the time of N - 1 steps. One such step is
 * taken off the first part to have the prefill. So it does not matter in which of its calls a device is waited for.
 */
public final class RolloutBench {
  /**
   * @param promptTokens of each sequence
   * @param newTokens of each sequence, 2 or more
   * @param repeats that the median is taken of
   */
  public record Shape(int promptTokens, int newTokens, int repeats) {
    public Shape {
      Workload.require(promptTokens >= 2, "the number of prompt tokens", promptTokens, "at least 2");
      Workload.require(newTokens >= 2, "the number of new tokens", newTokens, "at least 2");
      Workload.require(repeats >= 1, "the number of repeats", repeats, "at least 1");
    }

    public int sequenceTokens() {
      return promptTokens + newTokens;
    }
  }

  /**
   * Medians over the repeats.
   *
   * @param completions sequences decoded together
   */
  public record Result(int completions, double promptTokensPerSecond, double decodeTokensPerSecond) {}

  private static final int WARM_UP_TOKENS = 8;
  /** Below what a clock tells; a prompt of two tokens is prefilled in about the time of a step. */
  private static final double CLOCK_SECONDS = 1e-6;

  private RolloutBench() {}

  /**
   * Runs once for warm-up and then the repeats.
   *
   * @param model opened for at least {@link Shape#sequenceTokens} positions
   */
  public static Result measure(CausalLm model, int completions, Shape shape) {
    Workload.require(completions >= 1, "the number of completions", completions, "at least 1");
    List<RolloutRequest> requests = Workload.requests(model.config(), completions, shape.promptTokens(), 1);
    List<Double> prompt = new ArrayList<>();
    List<Double> decode = new ArrayList<>();
    Generator.Limits limits = Generator.Limits.of(completions, shape.sequenceTokens());
    try (Generator generator = new Generator(model, limits, Set.of(), model.config().vocabSize(), ids -> "")) {
      run(generator, requests, Math.min(WARM_UP_TOKENS, shape.newTokens()), 0);
      for (int repeat = 1; repeat <= shape.repeats(); repeat++) {
        Times times = run(generator, requests, shape.newTokens(), repeat);
        double step = times.rest() / (shape.newTokens() - 1);
        prompt.add(times.promptTokens() / Math.max(times.first() - step, CLOCK_SECONDS));
        decode.add(completions / step);
      }
    }
    return new Result(completions, Workload.median(prompt), Workload.median(decode));
  }

  /**
   * Of one rollout.
   *
   * @param first seconds until the first token was known
   * @param rest seconds from there to the end
   */
  private record Times(long promptTokens, double first, double rest) {}

  private static Times run(Generator generator, List<RolloutRequest> requests, int newTokens, int step) {
    long[] firstToken = new long[1];
    RolloutListener listener = new RolloutListener() {
      @Override
      public void token(int request, int completion, int tokenId) {
        if (firstToken[0] == 0) {
          firstToken[0] = System.nanoTime();
        }
      }
    };
    long start = System.nanoTime();
    Generator.Rollout rollout = generator.generate(requests, SamplingParams.atTemperature(1, newTokens), 0, step, listener);
    long end = System.nanoTime();
    return new Times(rollout.stats().promptTokens(), (firstToken[0] - start) * 1e-9, (end - firstToken[0]) * 1e-9);
  }
}
