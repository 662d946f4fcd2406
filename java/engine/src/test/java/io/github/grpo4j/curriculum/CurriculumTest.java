package io.github.grpo4j.curriculum;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.grpo4j.data.BatchOrder;
import io.github.grpo4j.state.StepState;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.IntToDoubleFunction;
import org.junit.jupiter.api.Test;

/** Seven problems in batches of two: four steps a pass, the last one with one problem. */
class CurriculumTest {
  private static final int[] PROBLEMS = {10, 11, 12, 13, 14, 15, 16};
  private static final double[] ACCURACY = {0.5, 0, 1, 0.75, 0.25, 1, 0};
  private static final long SEED = 7;

  private static ProblemOrder open(Curriculum curriculum) {
    return curriculum.order(PROBLEMS, 2, SEED);
  }

  /** Goes through a pass from step {@code first} and gives the positions in its order. */
  private static int[] pass(ProblemOrder order, int first, int steps, IntToDoubleFunction accuracy) {
    List<Integer> met = new ArrayList<>();
    for (int step = first; step < first + steps; step++) {
      int[] batch = order.batch(step);
      Arrays.stream(batch).forEach(met::add);
      order.done(step, Arrays.stream(batch).mapToDouble(accuracy).toArray());
    }
    return met.stream().mapToInt(Integer::intValue).toArray();
  }

  private static int[] pass(ProblemOrder order, int first) {
    return pass(order, first, 4, position -> ACCURACY[position]);
  }

  @Test
  void withoutACurriculumEveryPassIsTheSeededShuffle() {
    ProblemOrder order = open(new NoCurriculum());
    BatchOrder expected = new BatchOrder(7, 2, SEED, true);
    for (int step = 0; step < 12; step++) {
      assertArrayEquals(expected.batch(step), order.batch(step));
    }
    assertTrue(order.metrics().isEmpty());
    assertFalse(order instanceof StepState, "nothing to remember");
  }

  @Test
  void theFirstPassIsShuffledAndLaterOnesAreSortedWithTiesByPosition() {
    int[] shuffled = new BatchOrder(7, 2, SEED, true).order(0);
    ProblemOrder easy = open(new EasyToHard());
    assertArrayEquals(shuffled, pass(easy, 0));
    assertArrayEquals(new int[] {2, 5, 3, 0, 4, 1, 6}, pass(easy, 4));
    ProblemOrder hard = open(new HardToEasy());
    assertArrayEquals(shuffled, pass(hard, 0));
    assertArrayEquals(new int[] {1, 6, 4, 0, 3, 2, 5}, pass(hard, 4));
    ProblemOrder half = open(new NearHalf());
    assertArrayEquals(shuffled, pass(half, 0));
    assertArrayEquals(new int[] {0, 3, 4, 1, 2, 5, 6}, pass(half, 4));
  }

  @Test
  void accuraciesRunOnAndSortTheNextPass() {
    ProblemOrder order = open(new EasyToHard(0.25, 0, 1, true));
    pass(order, 0);
    // Problem 1 is now always solved: 0.75 * 0 + 0.25 * 1 = 0.25, a tie with problem 4, and 0.4375 after that.
    IntToDoubleFunction later = position -> position == 1 ? 1 : ACCURACY[position];
    pass(order, 4, 4, later);
    assertArrayEquals(new int[] {2, 5, 3, 0, 1, 4, 6}, pass(order, 8, 4, later));
    assertEquals((0.5 + 0.4375 + 1 + 0.75 + 0.25 + 1 + 0) / 7, order.metrics().get("curriculum/accuracy").doubleValue(), 1e-15);
  }

  @Test
  void withoutRefreshTheOrderAfterTheFirstPassStays() {
    ProblemOrder order = open(new EasyToHard(1, 0, 1, false));
    pass(order, 0);
    int[] second = pass(order, 4, 4, position -> 1 - ACCURACY[position]);
    assertArrayEquals(second, pass(order, 8));
  }

  @Test
  void whatWasNotScoredCountsAsNeverSolvedAndChangesNoKnownAccuracy() {
    ProblemOrder order = open(new EasyToHard());
    pass(order, 0, 4, position -> position == 3 ? Double.NaN : ACCURACY[position]);
    assertEquals(6L, order.metrics().get("curriculum/seen").longValue());
    assertArrayEquals(new int[] {2, 5, 0, 4, 1, 3, 6}, pass(order, 4, 4, position -> Double.NaN));
    assertArrayEquals(new int[] {2, 5, 0, 4, 1, 3, 6}, pass(order, 8));
  }

  @Test
  void solvedProblemsAreLeftOutAndThePassIsShorter() {
    ProblemOrder order = open(new HardToEasy(1, 0.7, 1, true));
    pass(order, 0);
    assertEquals(3L, order.metrics().get("curriculum/dropped").longValue());
    assertArrayEquals(new int[] {1, 6, 4, 0}, pass(order, 4, 2, position -> ACCURACY[position]));
    assertArrayEquals(new int[] {1, 6, 4, 0}, pass(order, 6, 2, position -> 1));
    // Now every problem is above 0.7, so none is left out. Problem 3 is still at its 0.75: it was not met again.
    assertArrayEquals(new int[] {3, 0, 1, 2, 4, 5, 6}, pass(order, 8));
    assertEquals(4, order.stepsPerEpoch(), "the length of a run stays");
  }

  @Test
  void windowsAreShuffledInThemselves() {
    boolean moved = false;
    for (long seed = 0; seed < 8; seed++) {
      ProblemOrder order = new EasyToHard(1, 0, 3, true).order(PROBLEMS, 2, seed);
      pass(order, 0);
      int[] second = pass(order, 4);
      assertEquals(List.of(2, 3, 5), Arrays.stream(second, 0, 3).sorted().boxed().toList());
      assertEquals(List.of(0, 1, 4), Arrays.stream(second, 3, 6).sorted().boxed().toList());
      assertEquals(6, second[6]);
      moved |= !Arrays.equals(second, new int[] {2, 5, 3, 0, 4, 1, 6});
    }
    assertTrue(moved);
  }

  @Test
  void bucketsGoFromEasyToHardAndAreShuffledInThemselves() {
    List<List<Integer>> passes = new ArrayList<>();
    ProblemOrder order = open(new BucketedShuffle(2, 1, 0, true));
    pass(order, 0);
    for (int epoch = 1; epoch < 6; epoch++) {
      int[] positions = pass(order, 4 * epoch);
      assertEquals(List.of(0, 2, 3, 5), Arrays.stream(positions, 0, 4).sorted().boxed().toList(), "accuracy of 1/2 and above");
      passes.add(Arrays.stream(positions).boxed().toList());
    }
    assertNotEquals(1, passes.stream().distinct().count(), "each pass is shuffled anew");
  }

  @Test
  void theStateGoesThroughJsonAndGivesTheSameStepsFromAnyStepOn() throws IOException {
    IntToDoubleFunction thirds = position -> (position % 4) / 3.0;
    for (Curriculum curriculum : List.of(new EasyToHard(0.3, 0.7, 2, true), new NearHalf(0.3, 0, 3, false), new BucketedShuffle())) {
      ProblemOrder straight = open(curriculum);
      for (int step = 0; step < 20; step++) {
        String saved = ((StepState) straight).save().toString();
        ProblemOrder resumed = open(curriculum);
        ((StepState) resumed).load(new ObjectMapper().readTree(saved));
        assertEquals(saved, ((StepState) resumed).save().toString());
        assertArrayEquals(straight.batch(step), resumed.batch(step), curriculum + " at step " + step);
        double[] accuracy = Arrays.stream(straight.batch(step)).mapToDouble(thirds).toArray();
        straight.done(step, accuracy);
        resumed.done(step, accuracy);
        assertArrayEquals(straight.batch(step + 1), resumed.batch(step + 1), curriculum + " after step " + step);
      }
    }
  }

  @Test
  void theStateOfOtherProblemsIsRefused() throws IOException {
    JsonNode saved = new ObjectMapper().readTree("{\"pass\":0,\"first_step\":0,\"accuracy\":{\"17\":0.5}}");
    StepState order = (StepState) open(new EasyToHard());
    assertTrue(assertThrows(IllegalArgumentException.class, () -> order.load(saved)).getMessage().contains("problem 17"));
  }

  @Test
  void askingForAStepThatIsNotNextIsRefused() {
    ProblemOrder order = open(new EasyToHard());
    pass(order, 0);
    assertThrows(IllegalArgumentException.class, () -> order.batch(3));
    assertThrows(IllegalArgumentException.class, () -> order.batch(8));
  }

  @Test
  void kindsAreFoundByNameAndCheckTheirValues() {
    assertEquals(List.of("none", "easy_to_hard", "hard_to_easy", "near_half", "bucketed_shuffle"), Curricula.REGISTRY.names());
    Map<String, Curriculum> kinds = Map.of("easy_to_hard", new EasyToHard(), "bucketed_shuffle", new BucketedShuffle());
    kinds.forEach((name, kind) -> assertEquals(kind, Curricula.REGISTRY.find(name).orElseThrow()));
    assertTrue(assertThrows(IllegalArgumentException.class, () -> new EasyToHard(0, 0, 1, true)).getMessage().startsWith("ema is 0.0"));
    assertThrows(IllegalArgumentException.class, () -> new NearHalf(0.5, 1.5, 1, true));
    assertThrows(IllegalArgumentException.class, () -> new HardToEasy(0.5, 0, 0, true));
    assertThrows(IllegalArgumentException.class, () -> new BucketedShuffle(1, 0.5, 0, true));
  }
}
