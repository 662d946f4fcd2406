package io.github.grpo4j.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

/** Assertions on the distance between what was computed and what is right. NaN never passes. */
public final class Accuracy {
  private Accuracy() {}

  /** {@code ||actual - expected|| / ||expected||} (Frobenius, over the whole tensor) is at most {@code tolerance}. */
  public static void assertRelative(String what, double[] expected, double[] actual, double tolerance) {
    double error = relativeError(what, expected, actual);
    if (!(error <= tolerance)) {
      fail(what + ": relative error " + error + ", allowed " + tolerance + worst(expected, actual));
    }
  }

  /** The largest {@code |actual - expected|} is at most {@code tolerance}. */
  public static void assertMaxAbs(String what, double[] expected, double[] actual, double tolerance) {
    assertEquals(expected.length, actual.length, what + ": number of elements");
    for (int i = 0; i < expected.length; i++) {
      boolean same = Double.compare(expected[i], actual[i]) == 0 && !Double.isNaN(expected[i]);
      if (!same && !(Math.abs(actual[i] - expected[i]) <= tolerance)) {
        fail(what + ": absolute error above " + tolerance + worst(expected, actual));
      }
    }
  }

  /** The mean {@code |actual - expected|} is at most {@code tolerance}. */
  public static void assertMeanAbs(String what, double[] expected, double[] actual, double tolerance) {
    assertEquals(expected.length, actual.length, what + ": number of elements");
    double sum = 0;
    for (int i = 0; i < expected.length; i++) {
      sum += Math.abs(actual[i] - expected[i]);
    }
    double mean = sum / expected.length;
    if (!(mean <= tolerance)) {
      fail(what + ": mean absolute error " + mean + ", allowed " + tolerance + worst(expected, actual));
    }
  }

  /** Equal to the last bit, the sign of zero included; NaN is not equal to anything. */
  public static void assertSameBits(String what, double[] expected, double[] actual) {
    assertEquals(expected.length, actual.length, what + ": number of elements");
    for (int i = 0; i < expected.length; i++) {
      if (Double.isNaN(actual[i]) || Double.doubleToRawLongBits(expected[i]) != Double.doubleToRawLongBits(actual[i])) {
        fail(what + ": element " + i + " of " + expected.length + " is " + actual[i] + ", not " + expected[i]);
      }
    }
  }

  public static void assertRelative(String what, double[] expected, float[] actual, double tolerance) {
    assertRelative(what, expected, toDoubles(actual), tolerance);
  }

  public static void assertMaxAbs(String what, double[] expected, float[] actual, double tolerance) {
    assertMaxAbs(what, expected, toDoubles(actual), tolerance);
  }

  public static void assertMeanAbs(String what, double[] expected, float[] actual, double tolerance) {
    assertMeanAbs(what, expected, toDoubles(actual), tolerance);
  }

  public static void assertSameBits(String what, float[] expected, float[] actual) {
    assertSameBits(what, toDoubles(expected), toDoubles(actual));
  }

  /** {@code ||actual - expected|| / ||expected||}; 0 for two zero arrays, NaN if anything is NaN. */
  public static double relativeError(String what, double[] expected, double[] actual) {
    assertEquals(expected.length, actual.length, what + ": number of elements");
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < expected.length; i++) {
      difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
      norm += expected[i] * expected[i];
    }
    return difference == 0 ? 0 : Math.sqrt(difference) / Math.sqrt(norm);
  }

  public static double[] toDoubles(float[] values) {
    double[] doubles = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      doubles[i] = values[i];
    }
    return doubles;
  }

  private static String worst(double[] expected, double[] actual) {
    int worst = 0;
    double largest = -1;
    for (int i = 0; i < expected.length; i++) {
      double difference = Math.abs(actual[i] - expected[i]);
      if (Double.isNaN(difference) || difference > largest) {
        worst = i;
        largest = difference;
      }
      if (Double.isNaN(difference)) {
        break;
      }
    }
    return expected.length == 0 ? "" : "; worst is element " + worst + ": " + actual[worst] + " instead of " + expected[worst];
  }
}
