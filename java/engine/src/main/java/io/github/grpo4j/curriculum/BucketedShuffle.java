package io.github.grpo4j.curriculum;

import io.github.grpo4j.options.Check;

/**
 * After the first pass problems go into buckets of equal width of accuracy, [0, 1/b), [1/b, 2/b), …, [1 - 1/b, 1]. A pass takes the
 * easiest bucket first and shuffles each: easy to hard in the large, and no order in the small.
 *
 * @param buckets how many, 2 or more
 * @param ema share of the latest accuracy in a problem's running one, above 0 and at most 1; 1 keeps the latest alone
 * @param dropSolvedAbove problems with a running accuracy above it are left out of later passes; 0 leaves none out
 * @param refresh whether each pass is sorted anew; else the buckets found after the first one stay
 */
public record BucketedShuffle(int buckets, double ema, double dropSolvedAbove, boolean refresh) implements Curriculum {
  public BucketedShuffle() {
    this(4, Difficulty.EMA, 0, true);
  }

  public BucketedShuffle {
    Check.atLeast(2, "buckets", buckets);
    Difficulty.check(ema, dropSolvedAbove);
  }

  @Override
  public ProblemOrder order(int[] problems, int batchSize, long seed) {
    return new DifficultyOrder(problems, batchSize, seed, new Difficulty(ema, dropSolvedAbove, refresh),
        new Ranking(accuracy -> -bucket(accuracy), Ranking.TIES));
  }

  /** 0 … buckets - 1, the highest for the easiest problems. */
  private int bucket(double accuracy) {
    return Math.min(buckets - 1, (int) Math.floor(accuracy * buckets));
  }
}
