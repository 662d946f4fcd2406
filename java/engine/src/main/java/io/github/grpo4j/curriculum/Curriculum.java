package io.github.grpo4j.curriculum;

/** How the problems of a run follow each other. Kinds are listed in {@link Curricula}. */
public interface Curriculum {
  /**
   * The order of one run, at its beginning.
   *
   * @param problems the index of each training problem in its data set, each another one; what a checkpoint knows a problem by
   * @param batchSize problems of a step
   * @param seed of the run
   */
  ProblemOrder order(int[] problems, int batchSize, long seed);
}
