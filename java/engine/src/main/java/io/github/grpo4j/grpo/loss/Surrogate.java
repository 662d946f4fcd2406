package io.github.grpo4j.grpo.loss;

/**
 * What stands for the reward in the gradient: a function of the probability ratio {@code r = exp(new - old)} and the advantage A, to be
 * minimised. At token level it sees one token, at sequence level ({@link #level}) the geometric mean of a sequence's ratios.
 */
public interface Surrogate {
  /** Differences of log-probs are clamped to +- this, where derivatives become 0: one broken token cannot turn a step into infinities. */
  double LARGEST_LOG_RATIO = 20;

  /**
   * @param loss to be minimised
   * @param dRatio d loss / d ratio; 0 where clipping removes the gradient
   * @param belowLow the ratio is below its lower bound and the advantage negative: the gradient is removed
   * @param aboveHigh the ratio is above its upper bound and the advantage positive: the gradient is removed
   */
  record Value(double loss, double dRatio, boolean belowLow, boolean aboveHigh) {}

  /**
   * @param ratio finite and above 0
   * @param oldLogprob of the token when it was sampled; at sequence level the mean over its tokens
   */
  Value of(double ratio, double advantage, double oldLogprob);

  /** One ratio per token or per sequence. */
  default ImportanceLevel level() {
    return ImportanceLevel.TOKEN;
  }

  /** Adds metrics of the surrogate's own, one call for each ratio of a token in the loss; arguments as in {@link #of}. */
  default void report(double ratio, double advantage, double oldLogprob, LossMetrics metrics) {}

  static double clampLogRatio(double difference) {
    return Math.max(-LARGEST_LOG_RATIO, Math.min(LARGEST_LOG_RATIO, difference));
  }
}
