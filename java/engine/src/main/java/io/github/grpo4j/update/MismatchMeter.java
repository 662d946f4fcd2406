package io.github.grpo4j.update;

import java.util.Arrays;

/**
 * How far the training forward pass is from the log-probs that the rollout stored for the same weights. 0 on the CPU; anything
 * else means that the two passes do not compute the same model, and ratios then carry noise.
 */
public final class MismatchMeter {
  private double max;
  private double sum;
  private long count;

  void add(float[] training, float[] rollout) {
    for (int t = 0; t < training.length; t++) {
      double difference = Math.abs((double) training[t] - rollout[t]);
      // Math.max keeps a NaN, which must not pass as "no difference".
      max = Math.max(max, difference);
      sum += difference;
      count++;
    }
  }

  /** Adds the tokens of all samples of a step, episode by episode. */
  void add(StepTable step) {
    for (int b : step.order()) {
      if (b < step.samples().size()) {
        int from = step.table().starts[b];
        int to = step.table().starts[b + 1];
        add(Arrays.copyOfRange(step.table().newLogprob, from, to), Arrays.copyOfRange(step.table().oldLogprob, from, to));
      }
    }
  }

  public double max() {
    return max;
  }

  public double mean() {
    return count == 0 ? 0 : sum / count;
  }

  public boolean isEmpty() {
    return count == 0;
  }
}
