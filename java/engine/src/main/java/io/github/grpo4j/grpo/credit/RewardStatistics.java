package io.github.grpo4j.grpo.credit;

/**
 * Mean and sample standard deviation of the rewards of a step, episodes without reward left out: the metrics {@code reward},
 * {@code reward_std} and {@code rewards/NAME/mean}, {@code rewards/NAME/std}.
 */
public record RewardStatistics(double mean, double std) {
  public static RewardStatistics of(double[] rewards) {
    Moments moments = Moments.of(rewards, StandardDeviation.SAMPLE);
    return new RewardStatistics(moments.mean(), moments.std());
  }
}
