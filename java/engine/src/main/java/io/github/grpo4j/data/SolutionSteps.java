package io.github.grpo4j.data;

import java.util.ArrayList;
import java.util.List;

/**
 * A chain of arithmetic steps over whole numbers: the first takes {@code start} on its left, each later one the result before
 * it. Its text form is a solution: {@code 2*5=10}, {@code 10-5=5}, {@code #### 5}, one a line.
 */
record SolutionSteps(int start, List<Step> steps) {
  /** One operation, applied to the value so far and an operand. */
  record Step(char operator, int operand) {
    int apply(int left) {
      return switch (operator) {
        case '+' -> left + operand;
        case '-' -> left - operand;
        case '*' -> left * operand;
        case '/' -> left / operand;
        default -> throw new IllegalArgumentException("no operator " + operator);
      };
    }
  }

  SolutionSteps(int start) {
    this(start, List.of());
  }

  SolutionSteps plus(int operand) {
    return then('+', operand);
  }

  SolutionSteps minus(int operand) {
    return then('-', operand);
  }

  SolutionSteps times(int operand) {
    return then('*', operand);
  }

  SolutionSteps dividedBy(int operand) {
    return then('/', operand);
  }

  int result() {
    return valueBefore(steps.size());
  }

  /** The value on the left of step i. */
  private int valueBefore(int i) {
    int value = start;
    for (Step step : steps.subList(0, i)) {
      value = step.apply(value);
    }
    return value;
  }

  String solution() {
    StringBuilder text = new StringBuilder();
    int value = start;
    for (Step step : steps) {
      int next = step.apply(value);
      text.append(value).append(step.operator()).append(step.operand()).append('=').append(next).append('\n');
      value = next;
    }
    return text.append("#### ").append(value).toString();
  }

  /**
   * The same problem solved with one slip, the arithmetic itself right: the last step forgotten (chains of two steps or more,
   * every second time), or the wrong operation in one step.
   */
  SolutionSteps withSlip(SplitMix64 random) {
    if (steps.size() > 1 && random.nextInt(2) == 0) {
      return new SolutionSteps(start, steps.subList(0, steps.size() - 1));
    }
    return withWrongOperation(random.nextInt(steps.size()));
  }

  /**
   * One operation confused: − for +, + for everything else. Where that would leave the positive numbers (also in a later
   * step), + is confused with ∗ for single digits, and failing that the step before is the wrong one.
   */
  private SolutionSteps withWrongOperation(int at) {
    Step right = steps.get(at);
    for (char operator : wrongOperators(right.operator(), valueBefore(at), right.operand())) {
      List<Step> wrong = new ArrayList<>(steps);
      wrong.set(at, new Step(operator, right.operand()));
      SolutionSteps candidate = new SolutionSteps(start, List.copyOf(wrong));
      if (candidate.staysPositive()) {
        return candidate;
      }
    }
    return withWrongOperation(at == 0 ? steps.size() - 1 : at - 1);
  }

  private static char[] wrongOperators(char right, int left, int operand) {
    return switch (right) {
      case '+' -> left < 10 && operand < 10 ? new char[] {'-', '*'} : new char[] {'-'};
      case '/' -> new char[] {'-'};
      default -> new char[] {'+'};
    };
  }

  private boolean staysPositive() {
    int value = start;
    for (Step step : steps) {
      value = step.apply(value);
      if (value < 1) {
        return false;
      }
    }
    return true;
  }

  private SolutionSteps then(char operator, int operand) {
    List<Step> longer = new ArrayList<>(steps);
    longer.add(new Step(operator, operand));
    return new SolutionSteps(start, List.copyOf(longer));
  }
}
