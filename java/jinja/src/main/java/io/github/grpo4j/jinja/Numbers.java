package io.github.grpo4j.jinja;

/** Python's arithmetic on whole numbers and floats; a boolean counts as 0 or 1. */
final class Numbers {
  private Numbers() {}

  static Object apply(String operator, Object left, Object right) {
    if (operator.equals("/")) {
      return Values.real(left) / nonZero(Values.real(right));
    }
    if (Values.isInteger(left) && Values.isInteger(right)) {
      long a = Values.integer(left);
      long b = Values.integer(right);
      return switch (operator) {
        case "+" -> Math.addExact(a, b);
        case "-" -> Math.subtractExact(a, b);
        case "*" -> Math.multiplyExact(a, b);
        case "//" -> Math.floorDiv(a, nonZero(b));
        case "%" -> Math.floorMod(a, nonZero(b));
        case "**" -> power(a, b);
        default -> throw new IllegalArgumentException(operator);
      };
    }
    double a = Values.real(left);
    double b = Values.real(right);
    return switch (operator) {
      case "+" -> a + b;
      case "-" -> a - b;
      case "*" -> a * b;
      case "//" -> Math.floor(a / nonZero(b));
      case "%" -> a - Math.floor(a / nonZero(b)) * b;
      case "**" -> Math.pow(a, b);
      default -> throw new IllegalArgumentException(operator);
    };
  }

  static int compare(Object left, Object right) {
    return Values.isInteger(left) && Values.isInteger(right)
        ? Long.compare(Values.integer(left), Values.integer(right))
        : Double.compare(Values.real(left), Values.real(right));
  }

  private static Object power(long base, long exponent) {
    if (exponent < 0) {
      return Math.pow(base, exponent);
    } else if (base == 0 || base == 1 || base == -1) {
      return base == 0 && exponent > 0 ? 0L : base == -1 && exponent % 2 == 1 ? -1L : 1L;
    }
    long result = 1;
    for (long i = 0; i < exponent; i++) {
      result = Math.multiplyExact(result, base);
    }
    return result;
  }

  private static double nonZero(double divisor) {
    if (divisor == 0) {
      throw new JinjaException("division by zero");
    }
    return divisor;
  }

  private static long nonZero(long divisor) {
    if (divisor == 0) {
      throw new JinjaException("division by zero");
    }
    return divisor;
  }
}
