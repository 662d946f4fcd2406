package io.github.grpo4j.cli;

import io.github.grpo4j.rollout.SamplingParams;
import picocli.CommandLine.Option;

/** How answers are sampled; what is left out is the command's or the configuration's to say. */
final class SamplingOptions {
  @Option(names = "--greedy", description = "Take the most likely token at every position.")
  boolean greedy;

  @Option(names = "--temperature", paramLabel = "T", description = "Sampling temperature (1).")
  Float temperature;

  @Option(names = "--top-k", paramLabel = "K", description = "Keep the K most likely tokens; 0 is off (0).")
  Integer topK;

  @Option(names = "--top-p", paramLabel = "P", description = "Keep the most likely tokens of this total mass; 1 is off (1).")
  Float topP;

  @Option(names = "--min-p", paramLabel = "P", description = "Keep tokens at least this fraction as likely as the best; 0 is off (0).")
  Float minP;

  @Option(names = "--repetition-penalty", paramLabel = "X", description = "Penalty on earlier tokens; 1 is off (1).")
  Float repetitionPenalty;

  @Option(names = "--max-new-tokens", paramLabel = "N", description = "Most tokens of an answer (256).")
  Integer maxNewTokens;

  @Option(names = "--seed", paramLabel = "N", description = "Seed of the random numbers (0).")
  Long seed;

  /** @param fallback for what is not given */
  SamplingParams params(SamplingParams fallback) {
    return new SamplingParams(
        greedy ? 0 : or(temperature, fallback.temperature()), or(topK, fallback.topK()), or(topP, fallback.topP()), or(minP, fallback.minP()),
        or(repetitionPenalty, fallback.repetitionPenalty()), or(maxNewTokens, fallback.maxNewTokens()));
  }

  private static <T> T or(T given, T fallback) {
    return given == null ? fallback : given;
  }
}
