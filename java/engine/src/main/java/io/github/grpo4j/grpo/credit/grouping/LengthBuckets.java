package io.github.grpo4j.grpo.credit.grouping;

/**
 * Short, medium and long completions. With mean m and population standard deviation s of the lengths, short is below
 * {@code m - s}, long is above {@code m + s}, and medium is the rest, bounds included. A deviation below 1e-6 counts as 1.
 */
public final class LengthBuckets {
  public static final int COUNT = 3;
  public static final int SHORT = 0;
  public static final int MEDIUM = 1;
  public static final int LONG = 2;
  private static final double LEAST_DEVIATION = 1e-6;

  private LengthBuckets() {}

  /** For people and for the names of metrics. */
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
    return of(lengths, new boolean[lengths.length]);
  }

  /**
   * The bucket of each completion {@code [N]}, where some have left the step: they change neither mean nor deviation.
   *
   * @param left completions that do not count {@code [N]}; each still gets the bucket that its length falls into
   */
  public static int[] of(int[] lengths, boolean[] left) {
    int count = 0;
    double sum = 0;
    for (int i = 0; i < lengths.length; i++) {
      count += left[i] ? 0 : 1;
      sum += left[i] ? 0 : lengths[i];
    }
    double mean = sum / Math.max(1, count);
    double squares = 0;
    for (int i = 0; i < lengths.length; i++) {
      squares += left[i] ? 0 : (lengths[i] - mean) * (lengths[i] - mean);
    }
    double deviation = Math.sqrt(squares / Math.max(1, count));
    double width = deviation < LEAST_DEVIATION ? 1 : deviation;
    int[] buckets = new int[lengths.length];
    for (int i = 0; i < lengths.length; i++) {
      buckets[i] = lengths[i] < mean - width ? SHORT : lengths[i] > mean + width ? LONG : MEDIUM;
    }
    return buckets;
  }
}
