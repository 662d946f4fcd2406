package io.github.grpo4j.reward.parse;

import java.math.BigDecimal;

/**
 * Finds numbers in text the way a person reads them: {@code -1,080.50}, {@code $18}, {@code $-3}, {@code 45%}, {@code .5},
 * {@code 1.2e3}; "5-3" is two numbers, 5 and 3, and the full stop after "is 18." is not part of the number.
 *
 * <p>Runs in linear time. A number of more than {@value #MAX_DIGITS} digits or an exponent beyond {@value #MAX_EXPONENT} is
 * skipped as a whole, so that neither "1e999999999" nor a megabyte of digits costs anything to compare.
 */
public final class Numbers {
  static final int MAX_DIGITS = 40;
  static final int MAX_EXPONENT = 40;
  /** Answers this close are equal: decimals such as 0.3333333 for a third. */
  private static final BigDecimal TOLERANCE = new BigDecimal("1e-6");

  private Numbers() {}

  /** The last number of the text, or null if it has none. */
  public static BigDecimal last(String text) {
    BigDecimal last = null;
    Scanner scanner = new Scanner(text);
    while (scanner.next()) {
      last = scanner.value != null ? scanner.value : last;
    }
    return last;
  }

  /** The number that the text consists of, white space, currency sign, per-cent sign and final full stop aside, or null. */
  public static BigDecimal only(String text) {
    String body = text.strip();
    Scanner scanner = new Scanner(body);
    if (!scanner.next() || scanner.value == null || scanner.start != 0) {
      return null;
    }
    String rest = body.substring(scanner.end).strip();
    return rest.isEmpty() || rest.equals("%") || rest.equals(".") || rest.equals("%.") ? scanner.value : null;
  }

  /** True if both are numbers and differ by less than 1e-6. */
  public static boolean equal(BigDecimal a, BigDecimal b) {
    return a != null && b != null && a.subtract(b).abs().compareTo(TOLERANCE) < 0;
  }

  /** Walks over the numbers of a text, left to right; every character is looked at a bounded number of times. */
  private static final class Scanner {
    private final String text;
    private int position;
    /** The present number with its sign and currency sign is {@code text[start, end)}. */
    private int start;
    private int end;
    /** Its value; null if it is beyond the caps. */
    private BigDecimal value;

    Scanner(String text) {
      this.text = text;
    }

    boolean next() {
      while (position < text.length() && !startsDigits(position)) {
        position++;
      }
      if (position == text.length()) {
        return false;
      }
      int digits = position;
      end = integerPart(digits);
      end = fraction(end);
      int mantissaEnd = end;
      end = exponent(end);
      start = signedStart(digits);
      boolean negative = isMinus(start) || (at(start) == '$' && isMinus(start + 1));
      value = parse(text.substring(digits, mantissaEnd).replace(",", ""), text.substring(mantissaEnd, end), negative);
      position = end;
      return true;
    }

    private boolean startsDigits(int i) {
      return isDigit(i) || (at(i) == '.' && isDigit(i + 1) && !isDigit(i - 1));
    }

    /** Past the digits, thousands groups included: a comma counts if exactly three digits follow 1 to 3 leading ones. */
    private int integerPart(int from) {
      int i = from;
      while (isDigit(i)) {
        i++;
      }
      if (i - from >= 1 && i - from <= 3) {
        while (at(i) == ',' && isDigit(i + 1) && isDigit(i + 2) && isDigit(i + 3) && !isDigit(i + 4)) {
          i += 4;
        }
      }
      return i;
    }

    private int fraction(int from) {
      int i = from;
      if (at(i) == '.' && isDigit(i + 1)) {
        do {
          i++;
        } while (isDigit(i));
      }
      return i;
    }

    private int exponent(int from) {
      if (at(from) != 'e' && at(from) != 'E') {
        return from;
      }
      int i = from + 1;
      if (at(i) == '+' || at(i) == '-') {
        i++;
      }
      if (!isDigit(i)) {
        return from;
      }
      while (isDigit(i)) {
        i++;
      }
      return i;
    }

    /** Includes "$", "-", "-$" or "$-" in front, unless the minus stands between two operands ("5-3", "5 -3", "x-3", "(2)-3"). */
    private int signedStart(int digits) {
      int i = at(digits - 1) == '$' ? digits - 1 : digits;
      if (isMinus(i - 1) && !isOperandEnd(i - 1)) {
        i--;
      }
      return i < digits && at(i) != '$' && at(i - 1) == '$' ? i - 1 : i;
    }

    /** A hyphen or the typographic minus sign. */
    private boolean isMinus(int i) {
      return at(i) == '-' || at(i) == '\u2212';
    }

    private boolean isOperandEnd(int minus) {
      char before = at(minus - 1);
      if (Character.isLetter(before)) {
        return true;
      }
      // One space is as far as an operator of "5 -3" stands off; looking further would make the scan quadratic.
      char operand = before == ' ' ? at(minus - 2) : before;
      return isAsciiDigit(operand) || operand == ')' || operand == '%' || operand == '}' || operand == ']';
    }

    private static BigDecimal parse(String mantissa, String exponent, boolean negative) {
      int digits = mantissa.length() - (mantissa.indexOf('.') >= 0 ? 1 : 0);
      if (digits > MAX_DIGITS || exponent.length() > 4) {
        return null;
      }
      int power = exponent.isEmpty() ? 0 : Integer.parseInt(exponent.substring(1));
      if (Math.abs(power) > MAX_EXPONENT) {
        return null;
      }
      BigDecimal magnitude = new BigDecimal(mantissa).scaleByPowerOfTen(power);
      return negative ? magnitude.negate() : magnitude;
    }

    private char at(int i) {
      return i >= 0 && i < text.length() ? text.charAt(i) : '\0';
    }

    private boolean isDigit(int i) {
      return isAsciiDigit(at(i));
    }

    private static boolean isAsciiDigit(char c) {
      return c >= '0' && c <= '9';
    }
  }
}
