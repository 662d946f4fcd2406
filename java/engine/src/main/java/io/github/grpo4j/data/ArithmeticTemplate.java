package io.github.grpo4j.data;

import java.util.List;

/**
 * The nine kinds of word problem of {@link SyntheticArithmetic}: a text, and the steps that solve it.
 *
 * <p>The text holds {@code {name}}, {@code {other}} (another person), {@code {item}} and the numbers {@code {a}} … {@code {d}}.
 * Numbers are small so that a model of a few hundred thousand weights can learn the arithmetic itself in minutes: at most 36,
 * products of 2 … 6, every intermediate result at least 1.
 */
enum ArithmeticTemplate {
  BUY("{name} has {a} {item}. {name} buys {b} more. How many {item} now?") {
    @Override
    SolutionSteps draw(SplitMix64 random) {
      return new SolutionSteps(random.between(2, 15)).plus(random.between(2, 9));
    }
  },
  GIVE("{name} has {a} {item}. {name} gives away {b}. How many {item} now?") {
    @Override
    SolutionSteps draw(SplitMix64 random) {
      int given = random.between(2, 9);
      return new SolutionSteps(random.between(Math.max(5, given + 1), 20)).minus(given);
    }
  },
  BUY_THEN_GIVE("{name} has {a} {item}. {name} buys {b} more and gives away {c}. How many {item} now?") {
    @Override
    SolutionSteps draw(SplitMix64 random) {
      SolutionSteps bought = new SolutionSteps(random.between(2, 15)).plus(random.between(2, 9));
      return bought.minus(random.between(2, Math.min(9, bought.result() - 1)));
    }
  },
  BAGS("{name} has {a} bags of {b} {item}. How many {item} in all?") {
    @Override
    SolutionSteps draw(SplitMix64 random) {
      return bags(random);
    }
  },
  BAGS_THEN_BUY("{name} has {a} bags of {b} {item}. {name} buys {c} more. How many {item} now?") {
    @Override
    SolutionSteps draw(SplitMix64 random) {
      return bags(random).plus(random.between(2, 9));
    }
  },
  BAGS_THEN_GIVE("{name} has {a} bags of {b} {item}. {name} gives away {c}. How many {item} now?") {
    @Override
    SolutionSteps draw(SplitMix64 random) {
      SolutionSteps bags = bags(random);
      return bags.minus(random.between(2, Math.min(9, bags.result() - 1)));
    }
  },
  BAGS_BUY_GIVE("{name} has {a} bags of {b} {item}. {name} buys {c} more and gives away {d}. How many {item} now?") {
    @Override
    SolutionSteps draw(SplitMix64 random) {
      SolutionSteps bought = bags(random).plus(random.between(2, 9));
      return bought.minus(random.between(2, Math.min(9, bought.result() - 1)));
    }
  },
  TWO_PEOPLE("{name} has {a} {item}. {other} has {b} more than {name}. How many {item} in all?") {
    @Override
    SolutionSteps draw(SplitMix64 random) {
      int first = random.between(2, 12);
      return new SolutionSteps(first).plus(random.between(2, 9)).plus(first);
    }
  },
  SHARE("{name} shares {a} {item} among {b} friends. How many {item} each?") {
    @Override
    SolutionSteps draw(SplitMix64 random) {
      int friends = random.between(2, 6);
      return new SolutionSteps(friends * random.between(2, 6)).dividedBy(friends);
    }
  };

  static final List<ArithmeticTemplate> ALL = List.of(values());

  private static final List<String> NUMBERS = List.of("{a}", "{b}", "{c}", "{d}");

  private final String text;

  ArithmeticTemplate(String text) {
    this.text = text;
  }

  /** Draws the numbers and chains the right steps. */
  abstract SolutionSteps draw(SplitMix64 random);

  /** The question; the numbers appear in the order in which the steps use them. */
  String question(SolutionSteps worked, String name, String other, String item) {
    String question = text.replace("{name}", name).replace("{other}", other).replace("{item}", item);
    question = question.replace(NUMBERS.get(0), Integer.toString(worked.start()));
    for (int i = 0; i < worked.steps().size(); i++) {
      question = question.replace(NUMBERS.get(i + 1), Integer.toString(worked.steps().get(i).operand()));
    }
    return question;
  }

  private static SolutionSteps bags(SplitMix64 random) {
    return new SolutionSteps(random.between(2, 6)).times(random.between(2, 6));
  }
}
