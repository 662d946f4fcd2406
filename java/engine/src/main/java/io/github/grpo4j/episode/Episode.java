package io.github.grpo4j.episode;

/**
 * One sampled completion, token by token, never re-tokenised. Arrays belong to the record and must not be
 * changed.
 *
 * @param problem identity of the problem, as given in the rollout request
 * @param completion number of the completion within its group, from 0
 * @param tokenIds sampled tokens, a final end-of-sequence token included; never empty
 * @param logprobs of each sampled token under {@code softmax(logits / temperature)} over the whole vocabulary
 * @param entropies nats, of the same distributions
 * @param text of the sampled tokens, special tokens included
 */
public record Episode(
    int problem,
    int completion,
    int[] promptIds,
    int[] tokenIds,
    float[] logprobs,
    float[] entropies,
    FinishReason finishReason,
    String text) {

  public boolean finished() {
    return finishReason == FinishReason.EOS;
  }

  public int totalTokens() {
    return promptIds.length + tokenIds.length;
  }
}
