package io.github.grpo4j.grpo.loss;

import java.util.Arrays;

/**
 * How far the ratio {@code r = new / old probability} may move before a token stops being pushed:
 * {@code loss = -min(r A, clip(r, low, high) A)} (Schulman et al., "Proximal Policy Optimization", arXiv 1707.06347).
 */
public sealed interface Clipping {
  /**
   * Writes the bounds of each token.
   *
   * @param oldLogprob {@code [T]} log-prob of each token when it was sampled; null: on-policy
   * @param low {@code [T]}
   * @param high {@code [T]}
   */
  void bounds(float[] oldLogprob, float[] low, float[] high);

  /** The plain policy gradient, {@code loss = -r A}. Right for one update per rollout. */
  record None() implements Clipping {
    @Override
    public void bounds(float[] oldLogprob, float[] low, float[] high) {
      Arrays.fill(low, 0f);
      Arrays.fill(high, Float.POSITIVE_INFINITY);
    }
  }

  /** The same bounds {@code [1 - low, 1 + high]} for all tokens; {@code high > low} is DAPO's clip-higher (arXiv 2503.14476). */
  record Ppo(double low, double high) implements Clipping {
    public Ppo {
      if (!(low >= 0 && low <= 1 && high >= 0)) {
        throw new IllegalArgumentException("clip range [1 - " + low + ", 1 + " + high + "]: clip_low must be from 0 to 1, clip_high 0 or more");
      }
    }

    @Override
    public void bounds(float[] oldLogprob, float[] lowBounds, float[] highBounds) {
      Arrays.fill(lowBounds, (float) (1 - low));
      Arrays.fill(highBounds, (float) (1 + high));
    }
  }
}
