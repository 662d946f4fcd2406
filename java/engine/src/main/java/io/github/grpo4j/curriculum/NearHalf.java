package io.github.grpo4j.curriculum;

/**
 * After the first pass problems are sorted by |accuracy - 1/2|: those come first that the model solves half of the time, where
 * the variance p (1 - p) of a right or wrong answer, and with it the gradient, is largest.
 *
 * @param ema share of the latest accuracy in a problem's running one, above 0 and at most 1; 1 keeps the latest alone
 * @param dropSolvedAbove problems with a running accuracy above it are left out of later passes; 0 leaves none out
 * @param window problems that stand within a window of so many places are shuffled; 1 keeps the order strict
 * @param refresh whether each pass is sorted anew; else the order found after the first one stays
 */
public record NearHalf(double ema, double dropSolvedAbove, int window, boolean refresh) implements Curriculum {
  public NearHalf() {
    this(Difficulty.EMA, 0, 1, true);
  }

  public NearHalf {
    Difficulty.check(ema, dropSolvedAbove);
    Difficulty.checkWindow(window);
  }

  @Override
  public ProblemOrder order(int[] problems, int batchSize, long seed) {
    return new DifficultyOrder(problems, batchSize, seed, new Difficulty(ema, dropSolvedAbove, refresh),
        new Ranking(accuracy -> Math.abs(accuracy - 0.5), window));
  }
}
