package io.github.grpo4j.rollout;

/**
 * Where a rollout's time went.
 *
 * @param promptTokens tokens prefilled; the prompt of a group counts once
 * @param decodeSteps forward passes of decoding
 * @param decodedRows rows of all decoding steps, also those of completions that had ended and were not known to;
 *     {@code newTokens / (decodeSteps * maxRows)} is the slot efficiency
 * @param sampleSeconds where steps are queued ahead of the host, sampling is a part of {@code decodeSeconds}
 */
public record RolloutStats(
    long promptTokens, long newTokens, long decodeSteps, long decodedRows, double prefillSeconds, double decodeSeconds, double sampleSeconds) {

  public double seconds() {
    return prefillSeconds + decodeSeconds + sampleSeconds;
  }

  public double tokensPerSecond() {
    return seconds() == 0 ? 0 : newTokens / seconds();
  }
}
