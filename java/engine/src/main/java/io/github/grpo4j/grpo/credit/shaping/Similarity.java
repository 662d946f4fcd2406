package io.github.grpo4j.grpo.credit.shaping;

import io.github.grpo4j.grpo.credit.Evidence;
import io.github.grpo4j.grpo.credit.Evidence.Context;
import io.github.grpo4j.grpo.credit.Evidence.FeatureRequest;
import io.github.grpo4j.grpo.credit.Evidence.Pool;
import io.github.grpo4j.grpo.credit.Evidence.Source;
import io.github.grpo4j.grpo.credit.RewardShaping;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.grpo.credit.StatisticsGroups;
import io.github.grpo4j.options.Check;
import java.util.Arrays;
import java.util.Map;

/**
 * Completions that the model sees alike share their rewards: {@code R~ = (1 - alpha) R + alpha W R}, or are compared with one another:
 * {@code R~ = R - W R}, a leave-one-out baseline. {@code W = softmax_j(cos(h_i, h_j) / tau)} over the other completions of the question,
 * h_i the pooled hidden state of completion i after some blocks of the model. Similarity-weighted rewards of a public study of GRPO on
 * GSM8K; no paper has exactly this form. Without centring and with a high tau W is almost uniform, and then group normalisation takes
 * all of it away again: {@code W R} is affine in R.
 *
 * <p>Every part of the reward is smoothed with the same W, so the total follows, and so do estimators that look at parts. A part that
 * is equal for all completions of a question stays as it is, and so do the rewards of a completion that has no other to be like. W is over
 * all completions of the question even where they are compared by length: so a uniform W changes no advantage there, either.
 * Metric {@code similarity/reward_shift_mean}: mean of |R~ - R|.
 *
 * @param mode smooth or loo_baseline
 * @param pool mean or last of the completion's tokens
 * @param context what the model reads
 * @param center takes the mean hidden state of the question's completions from each before the cosine
 * @param source policy or reference model
 * @param tau temperature of the softmax
 * @param alpha share of the others in the smoothed reward; loo_baseline has none
 * @param depth blocks of the model; 0: a quarter of them
 */
public record Similarity(Mode mode, Pool pool, Context context, boolean center, Source source, double tau, double alpha, int depth)
    implements RewardShaping {
  /** What is made of the rewards of similar completions. */
  public enum Mode {
    SMOOTH,
    LOO_BASELINE
  }

  public Similarity {
    Check.positive("tau", tau);
    Check.fraction("alpha", alpha);
    Check.atLeast(0, "depth", depth);
  }

  public Similarity() {
    this(Mode.SMOOTH, Pool.MEAN, Context.RESPONSE, true, Source.POLICY, 0.1, 0.2, 0);
  }

  @Override
  public RewardTable shape(RewardTable rewards, Evidence evidence, Map<String, Double> metrics) {
    double[][] parts = Arrays.stream(rewards.parts()).map(double[]::clone).toArray(double[][]::new);
    float[][] features = null;
    boolean[] unscored = rewards.unscored();
    for (int[] members : StatisticsGroups.by(rewards.group()).members()) {
      int[] scored = Arrays.stream(members).filter(i -> !unscored[i]).toArray();
      if (differ(rewards, scored)) {
        features = features != null ? features : evidence.features(new FeatureRequest(depth, pool, context, source));
        mix(rewards, scored, features, parts);
      }
    }
    RewardTable shaped = rewards.withParts(parts);
    metrics.put("similarity/reward_shift_mean", meanShift(rewards.totals(), shaped.totals()));
    return shaped;
  }

  @Override
  public boolean needsReference() {
    return source == Source.REFERENCE;
  }

  private static boolean differ(RewardTable rewards, int[] members) {
    for (int f = 0; f < rewards.weights().length; f++) {
      if (differ(rewards, withPart(rewards, f, members), f)) {
        return true;
      }
    }
    return false;
  }

  private static boolean differ(RewardTable rewards, int[] members, int part) {
    return Arrays.stream(members).mapToDouble(i -> rewards.parts()[i][part]).distinct().count() > 1;
  }

  private static int[] withPart(RewardTable rewards, int part, int[] members) {
    return Arrays.stream(members).filter(i -> Double.isFinite(rewards.parts()[i][part])).toArray();
  }

  /** Writes the new rewards of one question into {@code parts}. */
  private void mix(RewardTable rewards, int[] scored, float[][] features, double[][] parts) {
    int[] seen = Arrays.stream(scored).filter(i -> isFinite(features[i])).toArray();
    if (seen.length < 2) {
      return;
    }
    double[][] weights = CosineWeights.of(Arrays.stream(seen).mapToObj(i -> features[i]).toArray(float[][]::new), center, tau);
    for (int f = 0; f < rewards.weights().length; f++) {
      if (differ(rewards, withPart(rewards, f, seen), f)) {
        for (int i = 0; i < seen.length; i++) {
          double own = rewards.parts()[seen[i]][f];
          double others = ofOthers(rewards, f, seen, weights[i]);
          if (Double.isFinite(own) && Double.isFinite(others)) {
            parts[seen[i]][f] = mode == Mode.SMOOTH ? (1 - alpha) * own + alpha * others : own - others;
          }
        }
      }
    }
  }

  /** Weighted mean of a part over those that it applies to; NaN if all of their weights have vanished. */
  private static double ofOthers(RewardTable rewards, int part, int[] members, double[] weights) {
    double sum = 0;
    double share = 0;
    for (int j = 0; j < members.length; j++) {
      double value = rewards.parts()[members[j]][part];
      if (Double.isFinite(value)) {
        sum += weights[j] * value;
        share += weights[j];
      }
    }
    return sum / share;
  }

  private static boolean isFinite(float[] features) {
    for (float value : features) {
      if (!Float.isFinite(value)) {
        return false;
      }
    }
    return true;
  }

  private static double meanShift(double[] before, double[] after) {
    double sum = 0;
    int count = 0;
    for (int i = 0; i < before.length; i++) {
      if (!Double.isNaN(before[i])) {
        sum += Math.abs(after[i] - before[i]);
        count++;
      }
    }
    return sum / Math.max(1, count);
  }
}
