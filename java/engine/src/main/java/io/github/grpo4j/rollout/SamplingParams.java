package io.github.grpo4j.rollout;

import io.github.grpo4j.backend.SamplingSettings;

/**
 * How completions are sampled; the fields are those of {@link SamplingSettings}.
 *
 * @param maxNewTokens most tokens of a completion, the end-of-sequence token included
 */
public record SamplingParams(float temperature, int topK, float topP, float minP, float repetitionPenalty, int maxNewTokens) {
  public SamplingParams {
    if (maxNewTokens < 1) {
      throw new IllegalArgumentException("max_new_tokens is " + maxNewTokens + "; it must be at least 1");
    }
  }

  public static SamplingParams greedy(int maxNewTokens) {
    return new SamplingParams(0, 0, 1, 0, 1, maxNewTokens);
  }

  public static SamplingParams atTemperature(float temperature, int maxNewTokens) {
    return new SamplingParams(temperature, 0, 1, 0, 1, maxNewTokens);
  }

  /** The temperature that log-probs are taken at: 1 for greedy decoding. */
  public float logprobTemperature() {
    return temperature == 0 ? 1 : temperature;
  }

  SamplingSettings settings(int vocabUsed, long seed) {
    return new SamplingSettings(temperature, topK, topP, minP, repetitionPenalty, vocabUsed, seed);
  }
}
