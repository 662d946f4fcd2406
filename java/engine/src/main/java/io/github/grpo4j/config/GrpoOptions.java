package io.github.grpo4j.config;

import io.github.grpo4j.grpo.credit.AdvantageEstimator;
import io.github.grpo4j.grpo.credit.CreditPipeline;
import io.github.grpo4j.grpo.credit.Grouping;
import io.github.grpo4j.grpo.credit.QuestionWeight;
import io.github.grpo4j.grpo.credit.RewardShaping;
import io.github.grpo4j.grpo.credit.advantage.GroupNormalized;
import io.github.grpo4j.grpo.credit.grouping.ByQuestion;
import io.github.grpo4j.grpo.credit.shaping.Keep;
import io.github.grpo4j.grpo.credit.shaping.KlInReward;
import io.github.grpo4j.grpo.credit.weighting.Unweighted;
import io.github.grpo4j.grpo.loss.Aggregation;
import io.github.grpo4j.grpo.loss.KlPenalty;
import io.github.grpo4j.grpo.loss.LossPipeline;
import io.github.grpo4j.grpo.loss.LossTerm;
import io.github.grpo4j.grpo.loss.Surrogate;
import io.github.grpo4j.grpo.loss.aggregation.TokenMean;
import io.github.grpo4j.grpo.loss.kl.K3;
import io.github.grpo4j.grpo.loss.reference.Frozen;
import io.github.grpo4j.grpo.loss.reference.ReferenceRefresh;
import io.github.grpo4j.grpo.loss.surrogate.PpoClip;
import io.github.grpo4j.grpo.loss.term.EntropyTerm;
import io.github.grpo4j.grpo.loss.term.KlTerm;
import io.github.grpo4j.grpo.loss.term.PolicyTerm;
import io.github.grpo4j.options.Check;
import java.util.ArrayList;
import java.util.List;

/**
 * How rewards become a gradient. Each choice is a kind with keys of its own; formulas stand at the kinds.
 *
 * @param overlong what becomes of truncated completions
 * @param shaping changes of the rewards before they are compared, in order
 * @param grouping which completions are compared
 * @param advantage what a reward is compared with and divided by
 * @param weighting factor of the advantages by how hard the question is
 * @param updatesPerRollout optimizer steps per rollout: the questions of the rollout are split into so many mini-batches
 * @param surrogate what stands for the reward in the gradient: clipping, ratio level
 * @param aggregation how token losses become one number
 * @param kl divergence from the frozen first model; coef 0: no reference model is kept
 * @param referenceRefresh whether the reference model follows the policy
 * @param referencePlacement where the reference model's weights rest; on a CPU there is one memory only
 * @param logprobTemperature MATCH: log-probs in ratios and KL are of the distribution that was sampled from; ONE: of temperature 1,
 *     which costs a scoring pass where rollout.temperature is another
 * @param entropyCoef bonus for entropy; 0: off
 * @param terms more summands of the loss, by class name
 */
public record GrpoOptions(
    RewardShaping overlong,
    List<RewardShaping> shaping,
    Grouping grouping,
    AdvantageEstimator advantage,
    QuestionWeight weighting,
    int updatesPerRollout,
    Surrogate surrogate,
    Aggregation aggregation,
    KlPenalty kl,
    ReferenceRefresh referenceRefresh,
    ReferencePlacement referencePlacement,
    LogprobTemperature logprobTemperature,
    double entropyCoef,
    List<LossTerm> terms) {
  /** Memories that the reference model's weights may rest in. */
  public enum ReferencePlacement {
    DEVICE,
    HOST
  }

  /** Temperatures of log-probs. */
  public enum LogprobTemperature {
    MATCH,
    ONE
  }

  static final GrpoOptions DEFAULTS = new GrpoOptions(
      new Keep(), List.of(), new ByQuestion(), new GroupNormalized(), new Unweighted(), 1, new PpoClip(), new TokenMean(), new K3(), new Frozen(),
      ReferencePlacement.DEVICE, LogprobTemperature.MATCH, 0, List.of());

  public GrpoOptions {
    shaping = List.copyOf(shaping);
    terms = List.copyOf(terms);
    Check.atLeast(1, "grpo.updates_per_rollout", updatesPerRollout);
    Check.finite("grpo.entropy_coef", entropyCoef);
    Check.that(referencePlacement == ReferencePlacement.DEVICE || !kl.isExact(), "grpo.reference_placement", referencePlacement,
        "device with the exact KL divergence: the reference model then runs while gradients are in the memory that it would borrow");
  }

  /** How rewards become advantages. */
  public CreditPipeline credit() {
    List<RewardShaping> all = new ArrayList<>(shaping);
    if (kl.isUsed() && kl.where() == KlPenalty.Where.REWARD) {
      all.add(new KlInReward(kl.coef()));
    }
    return new CreditPipeline(overlong, all, grouping, advantage, weighting);
  }

  /** True if the first model must be kept beside the one that is trained. */
  public boolean needsReference() {
    return loss().needsReference() || loss().needsExactKl() || credit().needsReference();
  }

  /** How advantages become the derivative of every token. */
  public LossPipeline loss() {
    List<LossTerm> all = new ArrayList<>();
    all.add(new PolicyTerm(surrogate));
    if (kl.isUsed() && kl.where() == KlPenalty.Where.LOSS) {
      all.add(new KlTerm(kl, surrogate.level()));
    }
    if (entropyCoef != 0) {
      all.add(new EntropyTerm(entropyCoef));
    }
    all.addAll(terms);
    return new LossPipeline(all, aggregation);
  }
}
