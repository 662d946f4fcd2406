package io.github.grpo4j.grpo.loss;

import java.util.Arrays;

/**
 * The tokens of packed episodes as the objective sees them: the arrays of {@link io.github.grpo4j.backend.TokenInputs}
 * on the Java side. {@code T} tokens of {@code B} episodes end to end.
 *
 * @param cuSeqlens {@code [B + 1]} offsets of the episodes
 * @param newLogprob {@code [T]} under the present weights
 * @param oldLogprob {@code [T]} when sampled; null: on-policy, the ratio is 1 and has a gradient
 * @param refLogprob {@code [T]} under the reference model; null if the objective has no KL
 * @param entropy {@code [T]} in nats; null: not known
 * @param advantage {@code [T]}; an importance weight against a rollout engine's mismatch is multiplied in here
 * @param weight {@code [T]} of {@link Aggregation#weights}; a token of weight 0 is not in the loss nor in any metric
 */
public record TokenBatch(
    int[] cuSeqlens,
    float[] newLogprob,
    float[] oldLogprob,
    float[] refLogprob,
    float[] entropy,
    float[] advantage,
    float[] weight) {
  public TokenBatch {
    int tokens = cuSeqlens[cuSeqlens.length - 1];
    requireLength("new log-probs", newLogprob, tokens);
    requireLength("old log-probs", oldLogprob == null ? newLogprob : oldLogprob, tokens);
    requireLength("reference log-probs", refLogprob == null ? newLogprob : refLogprob, tokens);
    requireLength("entropies", entropy == null ? newLogprob : entropy, tokens);
    requireLength("advantages", advantage, tokens);
    requireLength("weights", weight, tokens);
  }

  /** One value per episode, repeated for each of its tokens. */
  public static float[] perToken(double[] perEpisode, int[] cuSeqlens) {
    float[] values = new float[cuSeqlens[cuSeqlens.length - 1]];
    for (int b = 0; b < perEpisode.length; b++) {
      Arrays.fill(values, cuSeqlens[b], cuSeqlens[b + 1], (float) perEpisode[b]);
    }
    return values;
  }

  int sequences() {
    return cuSeqlens.length - 1;
  }

  int tokens() {
    return newLogprob.length;
  }

  private static void requireLength(String name, float[] values, int tokens) {
    if (values.length != tokens) {
      throw new IllegalArgumentException(values.length + " " + name + " for " + tokens + " packed tokens");
    }
  }
}
