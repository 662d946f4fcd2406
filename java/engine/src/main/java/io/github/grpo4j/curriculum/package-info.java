/**
 * Which problems a step works on. A {@link io.github.grpo4j.curriculum.Curriculum} is a choice of the configuration; the
 * {@link io.github.grpo4j.curriculum.ProblemOrder} that it opens belongs to one run and learns, where the kind needs it, how hard
 * each problem is for the model.
 *
 * <pre>
 *   accuracy of a problem's completions ── RunningAccuracy ── Ranking ── DifficultyOrder ── the problems of the next step
 * </pre>
 *
 * The first pass over the problems is shuffled whatever the kind: nothing is known of them yet.
 */
package io.github.grpo4j.curriculum;
