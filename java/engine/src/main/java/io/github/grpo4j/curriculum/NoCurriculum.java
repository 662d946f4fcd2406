package io.github.grpo4j.curriculum;

import io.github.grpo4j.data.BatchOrder;

/** Every pass over the problems is shuffled anew, see {@link BatchOrder}; nothing is remembered. */
public record NoCurriculum() implements Curriculum {
  @Override
  public ProblemOrder order(int[] problems, int batchSize, long seed) {
    BatchOrder order = new BatchOrder(problems.length, batchSize, seed, true);
    return new ProblemOrder() {
      @Override
      public int stepsPerEpoch() {
        return order.stepsPerEpoch();
      }

      @Override
      public int[] batch(long step) {
        return order.batch(step);
      }
    };
  }
}
