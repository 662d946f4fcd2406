package io.github.grpo4j.cli;

import io.github.grpo4j.rollout.SamplingParams;
import picocli.CommandLine.Option;

/** How answers are drawn. */
final class SamplingOptions {
  @Option(names = "--greedy", description = "Take the most likely token at every position.")
  boolean greedy;

  @Option(names = "--temperature", defaultValue = "1", description = "Sampling temperature (default 1).")
  float temperature;

  @Option(names = "--top-k", defaultValue = "0", description = "Keep the k most likely tokens; 0 is off (default).")
  int topK;

  @Option(names = "--top-p", defaultValue = "1", description = "Keep the most likely tokens of this total mass; 1 is off (default).")
  float topP;

  @Option(names = "--min-p", defaultValue = "0", description = "Keep tokens at least this fraction as likely as the best; 0 is off (default).")
  float minP;

  @Option(names = "--repetition-penalty", defaultValue = "1", description = "Penalty on earlier tokens; 1 is off (default).")
  float repetitionPenalty;

  @Option(names = "--max-new-tokens", defaultValue = "256", description = "Most tokens of an answer (default 256).")
  int maxNewTokens;

  @Option(names = "--seed", defaultValue = "0", description = "Seed of the random numbers (default 0).")
  long seed;

  SamplingParams params() {
    return new SamplingParams(greedy ? 0 : temperature, topK, topP, minP, repetitionPenalty, maxNewTokens);
  }
}
