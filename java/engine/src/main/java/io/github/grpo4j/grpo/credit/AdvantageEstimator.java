package io.github.grpo4j.grpo.credit;

/**
 * How much better an episode is than what the policy usually does. Kinds are listed in {@code advantage.AdvantageEstimators};
 * implementations are records whose components are their configuration. In their formulas R is the total reward of an episode and
 * g the group that it is compared with.
 *
 * <p>An episode without reward gets 0 and counts nowhere. Where all rewards of a group are equal, or there is only one, all get
 * exactly 0.
 */
public interface AdvantageEstimator {
  Advantages estimate(RewardTable rewards, StatisticsGroups groups);

  /** True if a question with a single completion can teach nothing, so that it is refused. */
  default boolean needsSeveralCompletions() {
    return true;
  }
}
