package io.github.grpo4j.config;

import java.util.Locale;

/** Ranges of options. A message begins with the option's full name, which is how the loader finds its line. */
final class Check {
  private Check() {}

  /** {@code check(x > 0, "rollout.temperature", x, "above 0")}. */
  static void that(boolean valid, String option, Object value, String range) {
    if (!valid) {
      String shown = value instanceof String ? "\"" + value + "\"" : value instanceof Enum<?> name ? name.name().toLowerCase(Locale.ROOT) : "" + value;
      throw new ConfigException(option + " is " + shown + "; it must be " + range);
    }
  }

  static void atLeast(long least, String option, long value) {
    that(value >= least, option, value, least + " or more");
  }

  static void notNegative(String option, double value) {
    that(value >= 0 && Double.isFinite(value), option, value, "0 or more");
  }

  static void fraction(String option, double value) {
    that(value >= 0 && value <= 1, option, value, "from 0 to 1");
  }

  static void present(String option, String value) {
    that(!value.isBlank(), option, value, "given");
  }
}
