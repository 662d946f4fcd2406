package io.github.grpo4j.grpo.loss;

/**
 * What takes the place of the reward's gradient: a function of the probability ratio {@code r = exp(new - old)} and the advantage A, to be
 * minimised. Token-level surrogates see one token, sequence-level ones ({@link #level}) the mean log-ratio of a sequence.
 */
public interface Surrogate {
  /**
   * @param loss to be minimised
   * @param slope d loss / d log-ratio; 0 where clipping removes the gradient
   * @param clippedLow the advantage is negative and the ratio below its bound: the gradient is removed
   * @param clippedHigh the advantage is positive and the ratio above its bound: the gradient is removed
   */
  record Value(double loss, double slope, boolean clippedLow, boolean clippedHigh) {}

  /**
   * @param logRatio log of the ratio, already clamped to +-20
   * @param oldLogprob when sampled (sequence level: the mean over its tokens)
   */
  Value of(double logRatio, double advantage, double oldLogprob);

  /** One ratio per token or per sequence. */
  default ImportanceLevel level() {
    return ImportanceLevel.TOKEN;
  }
}
