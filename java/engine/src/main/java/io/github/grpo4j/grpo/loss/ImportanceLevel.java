package io.github.grpo4j.grpo.loss;

/** What one probability ratio belongs to. */
public enum ImportanceLevel {
  /** {@code r_t = exp(new_t - old_t)}: PPO, GRPO. */
  TOKEN,
  /** {@code s = exp(mean_t(new_t - old_t))}, one for all tokens of an episode: GSPO (arXiv 2507.18071). */
  SEQUENCE
}
