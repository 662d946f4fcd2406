package io.github.grpo4j.curriculum;

/**
 * After the first pass problems are sorted by falling accuracy, those that the model solves most often first.
 *
 * <p>The original study sorts once, after the first pass, and keeps that order: {@code ema: 1, window: 1, refresh: false}. A pass
 * that begins with solved problems begins with groups of equal rewards, which teach nothing; {@code window}, {@code
 * drop_solved_above} or {@link NearHalf} help against that.
 *
 * @param ema share of the latest accuracy in a problem's running one, above 0 and at most 1; 1 keeps the latest alone
 * @param dropSolvedAbove problems with a running accuracy above it are left out of later passes; 0 leaves none out
 * @param window problems that stand within a window of so many places are shuffled; 1 keeps the order strict
 * @param refresh whether each pass is sorted anew; else the order found after the first one stays
 */
public record EasyToHard(double ema, double dropSolvedAbove, int window, boolean refresh) implements Curriculum {
  public EasyToHard() {
    this(Difficulty.EMA, 0, 1, true);
  }

  public EasyToHard {
    Difficulty.check(ema, dropSolvedAbove);
    Difficulty.checkWindow(window);
  }

  @Override
  public ProblemOrder order(int[] problems, int batchSize, long seed) {
    return new DifficultyOrder(problems, batchSize, seed, new Difficulty(ema, dropSolvedAbove, refresh),
        new Ranking(accuracy -> -accuracy, window));
  }
}
