package io.github.grpo4j.config;

import io.github.grpo4j.backend.AttentionKernels;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.grpo.credit.CreditPipeline;
import io.github.grpo4j.grpo.loss.LossPipeline;
import io.github.grpo4j.optim.LossScaler;
import io.github.grpo4j.options.Check;

/**
 * All options of a run, resolved: no key is missing any more.
 *
 * @param model which model is trained
 * @param backend what it runs on
 * @param data which problems it works on
 * @param prompt how a problem is put to it
 * @param rollout how completions are sampled
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
        "own where model.dtype is f32: cuDNN's attention takes bf16 and f16");
    if (backend.device() == BackendOptions.Device.CPU) { // what another machine's GPU can do is not known here
      backend.requireKernelsFor(model.dtype());
    }
  }

  /** How rewards become advantages. */
  public CreditPipeline credit() {
    return grpo.credit();
  }

  /** True if the first model must be kept beside the one that is trained. */
  public boolean needsReference() {
    return grpo.needsReference();
  }

  /** How advantages become a loss. */
  public LossPipeline loss() {
    return grpo.loss();
  }

  /** Temperature of the log-probs that the update works with. */
  public double logprobTemperature() {
    return grpo.logprobTemperature() == GrpoOptions.LogprobTemperature.ONE ? 1 : rollout.temperature();
  }

  /** True if the rollout's own log-probs are of another temperature, so that old ones take a scoring pass. */
  public boolean rescoresRollout() {
    return logprobTemperature() != rollout.temperature();
  }

  /** True if the reference model's weights rest in other memory than the device's. */
  public boolean referenceOnHost() {
    return grpo.referencePlacement() == GrpoOptions.ReferencePlacement.HOST && backend.deviceKind().hasOwnMemory();
  }

  /** The factor on the loss before any step. */
  public LossScaler lossScaler() {
    return LossScaler.of(training.lossScale(), model.dtype());
  }

  /** Episodes of a full step. */
  public int episodesPerStep() {
    return Math.multiplyExact(rollout.questionsPerStep(), rollout.answersPerQuestion());
  }
}
