package io.github.grpo4j.referee;

import java.util.Arrays;

/**
 * A completion as the run sampled it.
 *
 * @param group question within the step
 * @param response text without the end of sequence
 * @param gold the right answer, a whole number
 */
record Sampled(
    int problem, int group, int[] prompt, int[] tokens, double[] logprobs, double[] entropies, boolean finished, String response, String gold) {
  int[] ids() {
    int[] ids = Arrays.copyOf(prompt, prompt.length + tokens.length);
    System.arraycopy(tokens, 0, ids, prompt.length, tokens.length);
    return ids;
  }
}
