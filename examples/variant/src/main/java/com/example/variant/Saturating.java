package com.example.variant;

import io.github.grpo4j.grpo.loss.Surrogate;
import io.github.grpo4j.options.Check;

/**
 * {@code loss = -A w tanh((r - 1) / w)}: a ratio that leaves 1 by more than the width w loses its gradient by and by, where clipping
 * takes it away at once. Made up for this example.
 *
 * @param width above 0; 0.2 is about as wide as PPO's clip range
 */
public record Saturating(double width) implements Surrogate {
  public Saturating() {
    this(0.2);
  }

  public Saturating {
    Check.positive("width", width);
  }

  @Override
  public Value of(double ratio, double advantage, double oldLogprob) {
    double bent = Math.tanh((ratio - 1) / width);
    return new Value(-advantage * width * bent, -advantage * (1 - bent * bent), false, false);
  }
}
