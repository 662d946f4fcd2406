package io.github.grpo4j.grpo.loss;

/**
 * Evaluates an {@link Objective} on the log-probs of packed tokens: loss, derivatives and metrics, in double precision. For
 * token-level ratios it is the reference of the fused kernel and the source of the metrics; for sequence-level ratios it also
 * gives the derivative that the kernel takes as weight.
 *
 * <p>Like the kernel it clamps differences of log-probs to +-{@value #LARGEST_LOG_RATIO}, where the derivative becomes 0: one
 * broken token cannot turn a step into infinities.
 */
public final class TokenObjective {
  static final double LARGEST_LOG_RATIO = 20;

  private final Objective objective;

  public TokenObjective(Objective objective) {
    this.objective = objective;
  }

  /**
   * What an evaluation gives.
   *
   * @param loss sum of weight times token loss, entropy bonus included: a share of the step's loss; the shares of micro-batches add up
   * @param tokenLoss {@code [T]} policy loss and KL of each token, not weighted, without entropy bonus
   * @param dLogprob {@code [T]} d loss / d new log-prob
   * @param dEntropy {@code [T]} d loss / d entropy
   */
  public record Evaluation(double loss, float[] tokenLoss, float[] dLogprob, float[] dEntropy, ObjectiveMetrics metrics) {}

  /** Shapes must agree; a KL needs reference log-probs, an entropy bonus entropies. */
  public Evaluation evaluate(TokenBatch batch) {
    if (objective.kl().isUsed() && batch.refLogprob() == null) {
      throw new IllegalArgumentException("kl_coef is " + objective.kl().coef() + ", but no reference log-probs were given");
    }
    if (objective.entropyCoef() != 0 && batch.entropy() == null) {
      throw new IllegalArgumentException("entropy_coef is " + objective.entropyCoef() + ", but no entropies were given");
    }
    return new Pass(batch).run();
  }

  static double clampLogRatio(double difference) {
    return Math.max(-LARGEST_LOG_RATIO, Math.min(LARGEST_LOG_RATIO, difference));
  }

  /** One evaluation: the arrays being filled and the sums being taken. */
  private final class Pass {
    private final TokenBatch batch;
    private final boolean klUsed = objective.kl().isUsed();
    private final float[] low;
    private final float[] high;
    private final float[] tokenLoss;
    private final float[] dLogprob;
    private final float[] dEntropy;
    private final ObjectiveMetrics metrics = new ObjectiveMetrics();
    private double loss;

    Pass(TokenBatch batch) {
      this.batch = batch;
      low = new float[batch.tokens()];
      high = new float[batch.tokens()];
      tokenLoss = new float[batch.tokens()];
      dLogprob = new float[batch.tokens()];
      dEntropy = new float[batch.tokens()];
      objective.clipping().bounds(batch.oldLogprob(), low, high);
    }

    Evaluation run() {
      for (int b = 0; b < batch.sequences(); b++) {
        if (objective.importanceLevel() == ImportanceLevel.TOKEN) {
          tokenLevel(batch.cuSeqlens()[b], batch.cuSeqlens()[b + 1]);
        } else {
          sequenceLevel(batch.cuSeqlens()[b], batch.cuSeqlens()[b + 1]);
        }
      }
      metrics.addLoss(loss);
      return new Evaluation(loss, tokenLoss, dLogprob, dEntropy, metrics);
    }

    private void tokenLevel(int from, int to) {
      ClipCount clips = new ClipCount();
      for (int t = from; t < to; t++) {
        double logRatio = logRatio(t);
        double ratio = Math.exp(clampLogRatio(logRatio));
        double slope = Math.abs(logRatio) > LARGEST_LOG_RATIO ? 0 : ratio;
        Policy policy = policy(ratio, t);
        double plainKl = kl(t);
        boolean timesRatio = objective.kl().timesRatio();
        double dKl = klUsed ? dKl(t, ratio) + (timesRatio ? plainKl * slope : 0) : 0;
        boolean counted = add(t, policy, plainKl * (timesRatio ? ratio : 1));
        dLogprob[t] = counted ? (float) (batch.weight()[t] * (policy.dRatio * slope + objective.kl().coef() * dKl)) : 0;
        if (counted) {
          clips.add(policy);
        }
      }
      metrics.addClips(clips.tokens, clips.low, clips.high);
    }

    /** The ratio is the same for all tokens of the episode, and its derivative reaches all of them: d s / d new_t = s / L. */
    private void sequenceLevel(int from, int to) {
      int lossTokens = 0;
      double sum = 0;
      for (int t = from; t < to; t++) {
        if (batch.weight()[t] != 0) {
          lossTokens++;
          sum += logRatio(t);
        }
      }
      double logRatio = sum / Math.max(1, lossTokens);
      double ratio = Math.exp(clampLogRatio(logRatio));
      double slope = Math.abs(logRatio) > LARGEST_LOG_RATIO ? 0 : ratio;
      double dRatio = 0;
      ClipCount clips = new ClipCount();
      for (int t = from; t < to; t++) {
        Policy policy = policy(ratio, t);
        double plainKl = kl(t);
        boolean counted = add(t, policy, plainKl * (objective.kl().timesRatio() ? ratio : 1));
        if (counted) {
          dRatio += batch.weight()[t] * (policy.dRatio + (objective.kl().timesRatio() ? objective.kl().coef() * plainKl : 0));
          dLogprob[t] = klUsed ? (float) (batch.weight()[t] * objective.kl().coef() * dKl(t, ratio)) : 0;
          clips.add(policy);
        }
      }
      for (int t = from; t < to; t++) {
        dLogprob[t] += batch.weight()[t] == 0 ? 0 : (float) (dRatio * slope / lossTokens);
      }
      metrics.addClips(1, Math.min(1, clips.low), Math.min(1, clips.high));
    }

    /** The token's contribution to loss and metrics; false if it has no weight. */
    private boolean add(int t, Policy policy, double kl) {
      tokenLoss[t] = (float) (policy.loss + objective.kl().coef() * kl);
      double weight = batch.weight()[t];
      if (weight == 0) {
        return false;
      }
      double entropy = batch.entropy() == null ? 0 : batch.entropy()[t];
      dEntropy[t] = (float) (-weight * objective.entropyCoef());
      loss += weight * (policy.loss + objective.kl().coef() * kl - objective.entropyCoef() * entropy);
      metrics.addToken(weight * objective.entropyCoef() * entropy, klUsed, kl, batch.entropy() != null, entropy);
      return true;
    }

    private double logRatio(int t) {
      return batch.oldLogprob() == null ? 0 : (double) batch.newLogprob()[t] - batch.oldLogprob()[t];
    }

    private double kl(int t) {
      return klUsed ? objective.kl().value(batch.newLogprob()[t], batch.refLogprob()[t]) : 0;
    }

    private double dKl(int t, double ratio) {
      return objective.kl().derivative(batch.newLogprob()[t], batch.refLogprob()[t]) * (objective.kl().timesRatio() ? ratio : 1);
    }

    private Policy policy(double ratio, int t) {
      return Policy.of(ratio, batch.advantage()[t], low[t], high[t], objective.ratioCap(), objective.dualClip());
    }
  }

  /** The clipped loss of one ratio, its derivative with respect to the ratio, and which bound it is beyond. */
  private record Policy(double loss, double dRatio, boolean clippedLow, boolean clippedHigh) {
    static Policy of(double ratio, double advantage, double low, double high, double ratioCap, double dualClip) {
      double capped = Math.min(ratio, ratioCap);
      double unclipped = capped * advantage;
      double clipped = Math.max(low, Math.min(high, ratio)) * advantage;
      // Inside the bounds both are the same number and the gradient is the unclipped one.
      boolean followsRatio = unclipped <= clipped && ratio <= ratioCap;
      double loss = -Math.min(unclipped, clipped);
      if (advantage < 0 && loss > dualClip * -advantage) {
        loss = dualClip * -advantage;
        followsRatio = false;
      }
      return new Policy(loss, followsRatio ? -advantage : 0, capped < low && advantage < 0, capped > high && advantage > 0);
    }
  }

  private static final class ClipCount {
    int tokens;
    int low;
    int high;

    void add(Policy policy) {
      tokens++;
      low += policy.clippedLow ? 1 : 0;
      high += policy.clippedHigh ? 1 : 0;
    }
  }
}
