package io.github.grpo4j.eval;

/**
 * A share of right answers with its 95 % interval (Wilson, "Probable Inference, the Law of Succession, and Statistical
 * Inference", 1927), which stays sensible near 0 and 1.
 */
public record AccuracyInterval(int right, int total, double low, double high) {
  private static final double Z = 1.959963984540054;

  public static AccuracyInterval of(int right, int total) {
    if (total == 0) {
      return new AccuracyInterval(0, 0, 0, 1);
    }
    double p = (double) right / total;
    double z2 = Z * Z;
    double centre = (p + z2 / (2 * total)) / (1 + z2 / total);
    double half = Z * Math.sqrt(p * (1 - p) / total + z2 / (4.0 * total * total)) / (1 + z2 / total);
    return new AccuracyInterval(right, total, centre - half, centre + half);
  }

  public double accuracy() {
    return total == 0 ? 0 : (double) right / total;
  }
}
