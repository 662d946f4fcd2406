package io.github.grpo4j.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class SyntheticArithmeticTest {
  private static final Pattern STEP = Pattern.compile("(\\d+)([-+*/])(\\d+)=(\\d+)");

  @Test
  void everySolutionIsRightArithmeticOnSmallNumbers() {
    for (double slips : new double[] {0, 0.6}) {
      for (Problem problem : SyntheticArithmetic.demonstrations(3, 5000, slips)) {
        String[] lines = problem.solution().split("\n");
        int result = -1;
        for (int i = 0; i < lines.length - 1; i++) {
          Matcher step = STEP.matcher(lines[i]);
          assertTrue(step.matches(), problem.toString());
          int left = Integer.parseInt(step.group(1));
          int right = Integer.parseInt(step.group(3));
          assertTrue(i == 0 || left == result, "each step begins with the result before it: " + problem);
          result = switch (step.group(2)) {
            case "+" -> left + right;
            case "-" -> left - right;
            case "*" -> left * right;
            default -> left % right == 0 ? left / right : -1;
          };
          assertEquals(Integer.parseInt(step.group(4)), result, problem.toString());
          assertTrue(result >= 1, problem.toString());
        }
        assertEquals("#### " + result, lines[lines.length - 1], problem.toString());
        if (slips == 0) {
          assertEquals(problem.answer(), Integer.toString(result));
        }
      }
    }
  }

  @Test
  void askedAndTaughtInTheWordsOfTheTask() {
    Problem problem = SyntheticArithmetic.test().get(0);
    assertEquals("Mia has 2 bags of 2 books. Mia buys 6 more. How many books now?", problem.question());
    assertEquals("2*2=4\n4+6=10\n#### 10", problem.solution());
    assertEquals("10", problem.answer());
  }

  @Test
  void testSplitIsFixedDistinctAndNeverTrainedOn() {
    Dataset test = SyntheticArithmetic.test();
    assertEquals(400, test.size());
    Set<String> held = new HashSet<>();
    test.forEach(problem -> held.add(problem.question()));
    assertEquals(400, held.size());
    for (long seed = 0; seed < 5; seed++) {
      for (Problem problem : SyntheticArithmetic.train(seed, 5000)) {
        assertFalse(held.contains(problem.question()));
      }
    }
    // The test split of every run ever made: a change here makes their accuracies incomparable.
    assertEquals("62fe943e96d843614e4f5bd40d7a524e87040fffd516ee6b0bc9583e691f8f1f", test.sha256());
  }

  @Test
  void allTemplatesAndStepCountsOccurEvenly() {
    TreeMap<Long, Integer> steps = new TreeMap<>();
    Set<String> shapes = new HashSet<>();
    for (Problem problem : SyntheticArithmetic.train(1, 9000)) {
      steps.merge(problem.solution().lines().count() - 1, 1, Integer::sum);
      shapes.add(problem.question().replaceAll("\\d+", "#").replaceAll("[A-Z][a-z]+", "N").replaceAll("(apples|books|cards|coins|cups|eggs|pens|toys)", "I"));
    }
    assertEquals(9, shapes.size());
    // Four templates of one step, four of two, one of three.
    assertEquals(4000, steps.get(1L), 200);
    assertEquals(4000, steps.get(2L), 200);
    assertEquals(1000, steps.get(3L), 120);
  }

  @Test
  void slipsHitTheGivenShareAndLeaveQuestionsAlone() {
    Dataset right = SyntheticArithmetic.train(5, 10_000);
    Dataset sloppy = SyntheticArithmetic.demonstrations(5, 10_000, 0.6);
    int changed = 0;
    int wrongAnswers = 0;
    for (int i = 0; i < right.size(); i++) {
      assertEquals(right.get(i).question(), sloppy.get(i).question());
      assertEquals(right.get(i).answer(), sloppy.get(i).answer());
      changed += right.get(i).solution().equals(sloppy.get(i).solution()) ? 0 : 1;
      wrongAnswers += sloppy.get(i).solution().endsWith("#### " + right.get(i).answer()) ? 0 : 1;
    }
    assertEquals(6000, changed, 150);
    // A few slips give the right number all the same, as 2+2 does for 2*2.
    assertTrue(wrongAnswers > 5500 && wrongAnswers < changed, wrongAnswers + " of " + changed);
  }

  @Test
  void seedsGiveOtherProblemsAndTheSameSeedTheSame() {
    assertEquals(SyntheticArithmetic.train(1, 100).sha256(), SyntheticArithmetic.train(1, 100).sha256());
    assertNotEquals(SyntheticArithmetic.train(1, 100).sha256(), SyntheticArithmetic.train(2, 100).sha256());
    assertEquals(SyntheticArithmetic.train(1, 50).problems(), SyntheticArithmetic.train(1, 100).first(50).problems());
    assertThrows(IllegalArgumentException.class, () -> SyntheticArithmetic.train(1, 0));
    assertThrows(IllegalArgumentException.class, () -> SyntheticArithmetic.demonstrations(1, 10, 1.5));
  }
}
