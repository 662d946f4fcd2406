package io.github.grpo4j.backend;

/**
 * How the next token is sampled from a row of logits. Filters apply in the order of Hugging Face: repetition penalty,
 * temperature, top-k, top-p, min-p.
 *
 * @param temperature 0 takes the most likely token
 * @param topK keeps the k most likely tokens, ties with the k-th included; 0 is off
 * @param topP keeps the smallest set of most likely tokens whose mass reaches p; 1 is off
 * @param minP keeps tokens at least this fraction as likely as the most likely one; 0 is off
 * @param repetitionPenalty divides positive and multiplies negative logits of earlier tokens; 1 is off
 * @param vocabUsed ids from here on are padding rows of the head and are never chosen
 * @param seed key of the counter-based random numbers
 */
public record SamplingSettings(
    float temperature, int topK, float topP, float minP, float repetitionPenalty, int vocabUsed, long seed) {
  public SamplingSettings {
    require(temperature >= 0, "temperature", temperature, "0 or more");
    require(topK >= 0, "top_k", topK, "0 or more");
    require(topP > 0 && topP <= 1, "top_p", topP, "above 0 and at most 1");
    require(minP >= 0 && minP <= 1, "min_p", minP, "from 0 to 1");
    require(repetitionPenalty > 0, "repetition_penalty", repetitionPenalty, "above 0");
  }

  public boolean greedy() {
    return temperature == 0;
  }

  private static void require(boolean valid, String option, Object value, String range) {
    if (!valid) {
      throw new IllegalArgumentException(option + " is " + value + "; it must be " + range);
    }
  }
}
