package io.github.grpo4j.data;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Arithmetic word problems made on the spot: nine templates, one to three steps of + − ∗ /, numbers up to 36.
 *
 * <pre>
 *   Zoe has 2 bags of 5 books. Zoe gives away 5. How many books now?
 *   2*5=10
 *   10-5=5
 *   #### 5
 * </pre>
 *
 * A question belongs to the held-out part if the first byte of the SHA-256 of its UTF-8 text is below 26 (about one in ten), to
 * the training part otherwise; so no held-out question is ever trained on, whatever the seeds. Every problem is a function of
 * (seed, index) through {@link SplitMix64}: the same on every machine and JDK.
 */
public final class SyntheticArithmetic {
  /** Size of the usual test split; a standard error of accuracy of at most 0.025. */
  public static final int TEST_SIZE = 400;

  private static final List<String> NAMES = List.of("Anna", "Ben", "Lily", "Max", "Mia", "Sam", "Tom", "Zoe");
  private static final List<String> ITEMS = List.of("apples", "books", "cards", "coins", "cups", "eggs", "pens", "toys");

  private static final int HELD_OUT_BELOW = 26;
  private static final int MOST_PROBLEMS = 1_000_000;
  private static final long TEST_SEED = 0x7465_7374L;

  /** First keys of the random streams, so that what is asked and how it is taught do not move together. */
  private static final long QUESTIONS = 1;

  private static final long SLIPS = 2;

  private SyntheticArithmetic() {}

  /**
   * Training problems with right solutions, drawn independently: a question may come up again, as it would in a stream.
   *
   * @param count 1 … 1,000,000
   */
  public static Dataset train(long seed, int count) {
    return demonstrations(seed, count, 0);
  }

  /** The fixed held-out problems: always the same ones, all different, none of them ever in {@link #train}. */
  public static Dataset test() {
    List<Problem> problems = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    for (long draw = 0; problems.size() < TEST_SIZE; draw++) {
      Candidate candidate = Candidate.at(TEST_SEED, draw);
      if (isHeldOut(candidate.question()) && seen.add(candidate.question())) {
        problems.add(candidate.problem(problems.size(), candidate.worked()));
      }
    }
    return new Dataset("synthetic arithmetic, test", problems);
  }

  /**
   * The problems of {@link #train} for the same seed and count, a share of them taught sloppily: the last step forgotten, or
   * the wrong operation in one step (see {@link SolutionSteps#withSlip}). {@link Problem#answer()} stays the right one. A model that
   * imitates these answers some problems rightly and others wrongly, so that a reward has something to choose from.
   *
   * @param slipShare probability of a slip, 0 … 1
   */
  public static Dataset demonstrations(long seed, int count, double slipShare) {
    if (count < 1 || count > MOST_PROBLEMS) {
      throw new IllegalArgumentException("cannot make " + count + " synthetic problems; ask for 1 to " + MOST_PROBLEMS);
    }
    if (!(slipShare >= 0 && slipShare <= 1)) {
      throw new IllegalArgumentException("the share of slips is " + slipShare + "; it must be from 0 to 1");
    }
    List<Problem> problems = new ArrayList<>(count);
    for (long draw = 0; problems.size() < count; draw++) {
      Candidate candidate = Candidate.at(seed, draw);
      if (!isHeldOut(candidate.question())) {
        SplitMix64 random = SplitMix64.keyed(SLIPS, seed, draw);
        boolean slip = random.nextDouble() < slipShare;
        problems.add(candidate.problem(problems.size(), slip ? candidate.worked().withSlip(random) : candidate.worked()));
      }
    }
    String name = "synthetic arithmetic, train, seed " + seed;
    return new Dataset(slipShare == 0 ? name : name + ", " + Math.round(100 * slipShare) + " % slips", problems);
  }

  /** Whether a question is kept for testing. */
  public static boolean isHeldOut(String question) {
    byte[] hash = Dataset.newSha256().digest(question.getBytes(StandardCharsets.UTF_8));
    return Byte.toUnsignedInt(hash[0]) < HELD_OUT_BELOW;
  }

  private record Candidate(String question, SolutionSteps worked) {
    static Candidate at(long seed, long draw) {
      SplitMix64 random = SplitMix64.keyed(QUESTIONS, seed, draw);
      ArithmeticTemplate template = random.pick(ArithmeticTemplate.ALL);
      int name = random.nextInt(NAMES.size());
      int other = (name + random.between(1, NAMES.size() - 1)) % NAMES.size();
      String item = random.pick(ITEMS);
      SolutionSteps worked = template.draw(random);
      return new Candidate(template.question(worked, NAMES.get(name), NAMES.get(other), item), worked);
    }

    Problem problem(int index, SolutionSteps taught) {
      return new Problem(index, question, Integer.toString(worked.result()), taught.solution());
    }
  }
}
