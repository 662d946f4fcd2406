/**
 * From rewards to advantages. {@link io.github.grpo4j.grpo.credit.CreditPipeline} is the order of the stages; each stage is an interface
 * of this package, and its kinds stand one to a file in a package of their own:
 *
 * <pre>
 * shaping     RewardShaping       RewardTable → RewardTable
 * grouping    Grouping            RewardTable → StatisticsGroups
 * advantage   AdvantageEstimator  RewardTable, StatisticsGroups → Advantages
 * weighting   QuestionWeight      RewardTable, advantages → factors
 * </pre>
 *
 * <p>A new kind is a record with its formula and its source in the Javadoc, a line in the registry of its package, a test against numbers
 * worked out by hand and a row in docs/techniques.md.
 */
package io.github.grpo4j.grpo.credit;
