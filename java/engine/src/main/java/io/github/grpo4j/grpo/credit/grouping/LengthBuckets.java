package io.github.grpo4j.grpo.credit.grouping;

/**
 * Short, medium and long completions of a step: with mean m and population standard deviation s of all their lengths, short is below
 * {@code m - s}, long is above {@code m + s}, medium is the rest. A deviation below 1e-6 counts as 1.
 */
public final class LengthBuckets {
  public static final int COUNT = 3;
  public static final int SHORT = 0;
  public static final int MEDIUM = 1;
  public static final int LONG = 2;

  private LengthBuckets() {}

  public static String name(int bucket) {
    return switch (bucket) {
      case SHORT -> "short";
      case MEDIUM -> "medium";
      case LONG -> "long";
      default -> throw new IllegalArgumentException("bucket " + bucket + " is not one of 0, 1, 2");
    };
  }

  /** The bucket of each completion {@code [N]}. */
  public static int[] of(int[] lengths) {
    double mean = 0;
    for (int length : lengths) {
      mean += length;
    }
    mean /= Math.max(1, lengths.length);
    double squares = 0;
    for (int length : lengths) {
      squares += (length - mean) * (length - mean);
    }
    double deviation = Math.sqrt(squares / Math.max(1, lengths.length));
    double width = deviation < 1e-6 ? 1 : deviation;
    int[] buckets = new int[lengths.length];
    for (int i = 0; i < lengths.length; i++) {
      buckets[i] = lengths[i] < mean - width ? SHORT : lengths[i] > mean + width ? LONG : MEDIUM;
    }
    return buckets;
  }
}
