package io.github.grpo4j.options;

import java.util.Locale;

/**
 * Ranges of the values of a record. A message begins with the name that is given here, so that the reader of a configuration
 * can put the place in front of it.
 */
public final class Check {
  private Check() {}

  /**
   * {@code that(x > 0, "temperature", x, "above 0")}.
   *
   * @throws IllegalArgumentException such as "temperature is 0.0; it must be above 0"
   */
  public static void that(boolean valid, String name, Object value, String range) {
    if (!valid) {
      String shown = value instanceof String ? "\"" + value + "\"" : value instanceof Enum<?> e ? e.name().toLowerCase(Locale.ROOT) : "" + value;
      throw new IllegalArgumentException(name + " is " + shown + "; it must be " + range);
    }
  }

  public static void atLeast(long least, String name, long value) {
    that(value >= least, name, value, least + " or more");
  }

  public static void positive(String name, double value) {
    that(value > 0 && Double.isFinite(value), name, value, "above 0");
  }

  public static void notNegative(String name, double value) {
    that(value >= 0 && Double.isFinite(value), name, value, "0 or more");
  }

  public static void finite(String name, double value) {
    that(Double.isFinite(value), name, value, "a number");
  }

  public static void fraction(String name, double value) {
    that(value >= 0 && value <= 1, name, value, "from 0 to 1");
  }

  public static void present(String name, String value) {
    that(!value.isBlank(), name, value, "given");
  }
}
