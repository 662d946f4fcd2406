package io.github.grpo4j.config;

import io.github.grpo4j.backend.TokenLoss;
import io.github.grpo4j.grpo.credit.AdvantageEstimator;
import io.github.grpo4j.grpo.credit.StandardDeviation;
import io.github.grpo4j.grpo.credit.advantage.BatchNormalized;
import io.github.grpo4j.grpo.credit.advantage.GroupNormalized;
import io.github.grpo4j.grpo.credit.advantage.MeanCentred;
import io.github.grpo4j.grpo.credit.advantage.NormalizedThenSummed;
import io.github.grpo4j.grpo.loss.Aggregation;
import io.github.grpo4j.grpo.loss.Clipping;
import io.github.grpo4j.grpo.loss.ImportanceLevel;
import io.github.grpo4j.grpo.loss.Kl;
import io.github.grpo4j.grpo.loss.Objective;

/**
 * How rewards become a gradient; formulas stand at {@link AdvantageEstimator} and {@link Objective}.
 *
 * @param advantage what a reward is compared with and divided by
 * @param std kind of standard deviation
 * @param advantageEps added to the standard deviation
 * @param updatesPerRollout optimizer steps per rollout: the questions of the rollout are split into so many mini-batches
 * @param clipping NONE or PPO
 * @param clipLow the ratio is clipped below 1 - clipLow
 * @param clipHigh the ratio is clipped above 1 + clipHigh
 * @param ratioCap cap of the unclipped ratio, above 1 + clipHigh; 0: off
 * @param dualClip most loss of a bad token in units of its advantage, above 1; 0: off
 * @param importanceLevel one ratio per token or per answer
 * @param aggregation how token losses become one number
 * @param kl estimator of the divergence from the frozen first model
 * @param klCoef weight of the KL; 0: no reference model is kept
 * @param klTimesRatio multiplies the KL by the ratio, which corrects it off-policy
 * @param entropyCoef bonus for entropy; 0: off
 */
public record GrpoOptions(
    Advantage advantage,
    StandardDeviation std,
    double advantageEps,
    int updatesPerRollout,
    ClippingKind clipping,
    double clipLow,
    double clipHigh,
    double ratioCap,
    double dualClip,
    ImportanceLevel importanceLevel,
    AggregationKind aggregation,
    KlKind kl,
    double klCoef,
    boolean klTimesRatio,
    double entropyCoef) {
  /** Names of the {@link AdvantageEstimator}s. */
  public enum Advantage {
    GROUP,
    BATCH,
    NONE,
    NORMALIZE_THEN_SUM
  }

  /** Names of the {@link Clipping}s. */
  public enum ClippingKind {
    NONE,
    PPO
  }

  /** Names of the {@link Aggregation}s. */
  public enum AggregationKind {
    TOKEN_MEAN,
    SEQUENCE_MEAN,
    SEQUENCE_SUM,
    CONSTANT
  }

  /** Names of the KL estimators. */
  public enum KlKind {
    K1,
    K2,
    K3
  }

  static final GrpoOptions DEFAULTS = new GrpoOptions(
      Advantage.GROUP, StandardDeviation.POPULATION, 1e-4, 1, ClippingKind.PPO, 0.2, 0.2, 0, 0, ImportanceLevel.TOKEN,
      AggregationKind.TOKEN_MEAN, KlKind.K3, 0, true, 0);

  public GrpoOptions {
    Check.that(advantageEps > 0 && Double.isFinite(advantageEps), "grpo.advantage_eps", advantageEps, "above 0");
    Check.atLeast(1, "grpo.updates_per_rollout", updatesPerRollout);
    Check.fraction("grpo.clip_low", clipLow);
    Check.notNegative("grpo.clip_high", clipHigh);
    Check.that(ratioCap == 0 || ratioCap > 1 + clipHigh, "grpo.ratio_cap", ratioCap, "above 1 + grpo.clip_high, or 0 to be off");
    Check.that(dualClip == 0 || dualClip > 1, "grpo.dual_clip", dualClip, "above 1, or 0 to be off");
    Check.that(dualClip == 0 || importanceLevel == ImportanceLevel.TOKEN, "grpo.dual_clip", dualClip,
        "0 with grpo.importance_level sequence: it bounds the loss of single tokens");
    Check.notNegative("grpo.kl_coef", klCoef);
    Check.that(Double.isFinite(entropyCoef), "grpo.entropy_coef", entropyCoef, "a number");
    Check.that(entropyCoef == 0 || importanceLevel == ImportanceLevel.TOKEN, "grpo.entropy_coef", entropyCoef,
        "0 with grpo.importance_level sequence: the kernel takes its bonus at token level only");
  }

  public AdvantageEstimator estimator() {
    return switch (advantage) {
      case GROUP -> new GroupNormalized(std, advantageEps);
      case BATCH -> new BatchNormalized(std, advantageEps);
      case NONE -> new MeanCentred();
      case NORMALIZE_THEN_SUM -> new NormalizedThenSummed(std, advantageEps);
    };
  }

  /**
   * @param maxNewTokens length limit of answers: the constant that {@link AggregationKind#CONSTANT} divides by
   */
  public Objective objective(int maxNewTokens) {
    return new Objective(
        switch (clipping) {
          case NONE -> new Clipping.None();
          case PPO -> new Clipping.Ppo(clipLow, clipHigh);
        },
        klCoef == 0 ? Kl.NONE : new Kl(TokenLoss.Kl.valueOf(kl.name()), klCoef, klTimesRatio),
        switch (aggregation) {
          case TOKEN_MEAN -> new Aggregation.TokenMean();
          case SEQUENCE_MEAN -> new Aggregation.SequenceMean();
          case SEQUENCE_SUM -> new Aggregation.SequenceSum();
          case CONSTANT -> new Aggregation.Constant(maxNewTokens);
        },
        importanceLevel,
        entropyCoef,
        ratioCap == 0 ? Double.POSITIVE_INFINITY : ratioCap,
        dualClip == 0 ? Double.POSITIVE_INFINITY : dualClip);
  }
}
