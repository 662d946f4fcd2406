package io.github.grpo4j.optim;

/**
 * The learning rate of each optimizer step. Every schedule starts with a linear warm-up, {@code peak * i / warmupSteps} at
 * step i, so with a warm-up the very first step has rate 0 (the convention of Hugging Face's schedulers). After the last
 * planned step the rate stays at its minimum.
 */
public sealed interface LearningRateSchedule {
  /** Highest rate, reached when the warm-up ends. */
  double peak();

  int warmupSteps();

  /** Share of the peak after the warm-up, from 1 down. */
  double decay(long step);

  /** The rate that step {@code step} uses, counted from 0. */
  default double at(long step) {
    if (step < warmupSteps()) {
      return peak() * ((double) step / warmupSteps());
    }
    return peak() * decay(step);
  }

  /** The peak rate throughout. */
  record Constant(double peak, int warmupSteps) implements LearningRateSchedule {
    @Override
    public double decay(long step) {
      return 1;
    }
  }

  /** In a straight line from the peak to {@code minRatio * peak} at step {@code totalSteps}. */
  record Linear(double peak, int warmupSteps, long totalSteps, double minRatio) implements LearningRateSchedule {
    @Override
    public double decay(long step) {
      return minRatio + (1 - minRatio) * (1 - progress(step, warmupSteps, totalSteps));
    }
  }

  /** Half a cosine from the peak to {@code minRatio * peak} at step {@code totalSteps} (Loshchilov and Hutter, arXiv 1608.03983). */
  record Cosine(double peak, int warmupSteps, long totalSteps, double minRatio) implements LearningRateSchedule {
    @Override
    public double decay(long step) {
      return minRatio + (1 - minRatio) * 0.5 * (1 + Math.cos(Math.PI * progress(step, warmupSteps, totalSteps)));
    }
  }

  private static double progress(long step, int warmupSteps, long totalSteps) {
    return Math.min(1, (double) (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  }
}
