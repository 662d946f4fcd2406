package io.github.grpo4j.reward;

import io.github.grpo4j.episode.Reward;

/**
 * Scores one completion. Implementations are pure and thread-safe: the same completion always gets the same reward, so a
 * resumed run equals an uninterrupted one. They must take bounded time on any text, a megabyte of brackets included.
 *
 * <pre>{@code
 * RewardFunction brief = completion -> {
 *   boolean right = completion.response().strip().equals(completion.goldAnswer());
 *   return Reward.of(right ? 1 : 0, right, 0, completion.response());
 * };
 * }</pre>
 */
@FunctionalInterface
public interface RewardFunction {
  Reward score(Completion completion);
}
