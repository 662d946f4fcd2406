package io.github.grpo4j.grpo.credit.shaping;

/**
 * How similar completions are: {@code W = softmax_j(cos(h_i, h_j) / tau)} over {@code j != i}, so each row sums to 1 and nobody is
 * similar to itself. In double precision.
 */
final class CosineWeights {
  private CosineWeights() {}

  /**
   * {@code [n][n]} for n of 2 or more.
   *
   * @param features {@code [n][H]}, finite
   * @param center takes the mean of the features from each first: cosines of hidden states lie close together without
   */
  static double[][] of(float[][] features, boolean center, double tau) {
    double[][] directions = directions(features, center);
    int n = directions.length;
    double[][] weights = new double[n][n];
    for (int i = 0; i < n; i++) {
      double most = Double.NEGATIVE_INFINITY;
      for (int j = 0; j < n; j++) {
        weights[i][j] = i == j ? Double.NEGATIVE_INFINITY : dot(directions[i], directions[j]) / tau;
        most = Math.max(most, weights[i][j]);
      }
      double sum = 0;
      for (int j = 0; j < n; j++) {
        weights[i][j] = Math.exp(weights[i][j] - most);
        sum += weights[i][j];
      }
      for (int j = 0; j < n; j++) {
        weights[i][j] /= sum;
      }
    }
    return weights;
  }

  /** Vectors of length 1; a vector of zeros stays one, and its cosine with every other is 0. */
  private static double[][] directions(float[][] features, boolean center) {
    double[] mean = new double[features[0].length];
    if (center) {
      for (float[] row : features) {
        for (int h = 0; h < mean.length; h++) {
          mean[h] += row[h] / (double) features.length;
        }
      }
    }
    double[][] directions = new double[features.length][mean.length];
    for (int i = 0; i < directions.length; i++) {
      for (int h = 0; h < mean.length; h++) {
        directions[i][h] = features[i][h] - mean[h];
      }
      double norm = Math.sqrt(dot(directions[i], directions[i]));
      for (int h = 0; norm > 0 && h < mean.length; h++) {
        directions[i][h] /= norm;
      }
    }
    return directions;
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int h = 0; h < a.length; h++) {
      sum += a[h] * b[h];
    }
    return sum;
  }
}
