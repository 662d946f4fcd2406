/**
 * What was sampled and what it earned: the records that every package above shares.
 *
 * <pre>
 *   Episode (tokens, log-probs) ── scored ── ScoredEpisode ── Reward (named parts)
 * </pre>
 *
 * Records gain fields only by being wrapped. None of them knows how it is computed.
 */
package io.github.grpo4j.episode;
