package io.github.grpo4j.config;

import io.github.grpo4j.backend.AttentionKernels;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.grpo.credit.AdvantageEstimator;
import io.github.grpo4j.grpo.credit.CreditPipeline;
import io.github.grpo4j.grpo.credit.grouping.ByQuestion;
import io.github.grpo4j.grpo.credit.shaping.Keep;
import io.github.grpo4j.grpo.credit.weighting.Unweighted;
import io.github.grpo4j.grpo.loss.Objective;
import java.util.List;

/**
 * All options of a run, resolved: no key is missing any more.
 *
 * @param model which model is trained
 * @param backend what it runs on
 * @param data which problems it works on
 * @param prompt how a problem is put to it
 * @param rollout how answers are sampled
 * @param reward what an answer is worth
 * @param grpo how rewards become a gradient
 * @param optimizer how the gradient becomes new weights
 * @param training length, evaluation, checkpoints
 * @param sft supervised warm-up, used by the {@code sft} command alone
 */
public record RunConfig(
    ModelOptions model,
    BackendOptions backend,
    DataOptions data,
    PromptOptions prompt,
    RolloutOptions rollout,
    RewardOptions reward,
    GrpoOptions grpo,
    OptimizerOptions optimizer,
    TrainingOptions training,
    SftOptions sft) {
  /** What a key means that is left out: suited to a real model of 0.5 to 7 billion weights. */
  public static final RunConfig DEFAULTS = new RunConfig(
      ModelOptions.DEFAULTS, BackendOptions.DEFAULTS, DataOptions.DEFAULTS, PromptOptions.DEFAULTS, RolloutOptions.DEFAULTS,
      RewardOptions.DEFAULTS, GrpoOptions.DEFAULTS, OptimizerOptions.DEFAULTS, TrainingOptions.DEFAULTS, SftOptions.DEFAULTS);

  public RunConfig {
    Check.that(grpo.updatesPerRollout() <= rollout.questionsPerStep(), "grpo.updates_per_rollout", grpo.updatesPerRollout(),
        "at most " + rollout.questionsPerStep() + " (rollout.questions_per_step): an update needs a question of its own");
    Check.that(backend.attention() == AttentionKernels.OWN || model.dtype() != DType.F32, "backend.attention", "cudnn",
        "own where model.dtype is f32: cuDNN's attention takes bf16");
  }

  /** What a reward is compared with. */
  public AdvantageEstimator advantageEstimator() {
    return grpo.estimator();
  }

  /** How rewards become advantages. */
  public CreditPipeline credit() {
    return new CreditPipeline(new Keep(), List.of(), new ByQuestion(), advantageEstimator(), new Unweighted());
  }

  /** True if the first model must be kept beside the one that is trained. */
  public boolean needsReference() {
    return objective().kl().isUsed() || credit().needsReference();
  }

  /** How advantages become a loss. */
  public Objective objective() {
    return grpo.objective(rollout.maxNewTokens());
  }

  /** Episodes of a full step. */
  public int episodesPerStep() {
    return Math.multiplyExact(rollout.questionsPerStep(), rollout.answersPerQuestion());
  }
}
