package io.github.grpo4j.update;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.grpo.loss.LossMetrics;
import io.github.grpo4j.grpo.loss.LossPipeline;
import io.github.grpo4j.grpo.loss.LossTerm;
import io.github.grpo4j.grpo.loss.TokenTable;
import io.github.grpo4j.grpo.loss.fused.FusedPolicyLoss;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.HeadLoss;
import io.github.grpo4j.model.LossHead.Scores;
import io.github.grpo4j.optim.AdamW;
import io.github.grpo4j.optim.LossScaler;
import java.util.List;
import java.util.Optional;

/**
 * One optimizer step on a set of episodes: normalisers over all of them, gradients micro-batch by micro-batch, clip, AdamW.
 *
 * <p>Old log-probs are the ones the rollout stored. Since decoding and training agree to the bit, the ratio of the first
 * update after a rollout is exactly 1 (on the CPU); {@link MismatchMeter} watches it.
 *
 * <p>An episode whose gradient is known to be zero (advantage 0, and no term that ignores it) counts in the normalisers but is
 * not run through the model. A masked one is nowhere. If nothing is left, the optimizer step is left out.
 */
public final class PolicyUpdate {
  /**
   * What one optimizer step reports. {@code trainedTokens}: prompt and completion tokens of all episodes that were trained on, a
   * prompt counted for each of its completions although a micro-batch computes it once; so it compares with other engines.
   *
   * @param metrics null if there was nothing to learn from, so that the optimizer step was left out
   */
  public record Result(LossMetrics metrics, MismatchMeter mismatch, AdamW.StepResult optimizer, long trainedTokens) {}

  private final Backend backend;
  private final GradientPass pass;
  private final Gradients gradients;
  private final AdamW optimizer;
  private final LossScaler scaler;
  private final LossPipeline loss;
  private final Optional<FusedPolicyLoss> fused;
  private final float temperature;
  private final int maxTokens;
  private ReferencePolicy reference;

  /** Without a factor on the loss. */
  public PolicyUpdate(GradientPass pass, Gradients gradients, AdamW optimizer, LossPipeline loss, float temperature, int maxTokens) {
    this(pass, gradients, optimizer, LossScaler.off(), loss, temperature, maxTokens);
  }

  /**
   * @param temperature of log-probs and entropies: the one that the rollout sampled at, or 1
   * @param maxTokens length limit of a completion, which an aggregation may divide by
   */
  public PolicyUpdate(GradientPass pass, Gradients gradients, AdamW optimizer, LossScaler scaler, LossPipeline loss, float temperature,
      int maxTokens) {
    this.scaler = scaler;
    this.backend = pass.backend();
    this.pass = pass;
    this.gradients = gradients;
    this.optimizer = optimizer;
    this.loss = loss;
    this.fused = FusedPolicyLoss.of(loss);
    this.temperature = temperature;
    this.maxTokens = maxTokens;
  }

  /** The model that runs beside the policy where a term needs the exact KL divergence from it. */
  public void runBeside(ReferencePolicy frozen) {
    this.reference = frozen;
  }

  /** Log-probs and entropies of each episode's tokens under the present weights. */
  public List<Scores> score(List<Episode> episodes) {
    return pass.score(episodes.stream().map(StepTable::sampleOf).toList(), temperature);
  }

  /**
   * @param firstAfterRollout whether the weights are still those that sampled the episodes, and old log-probs the rollout's: only then is a
   *     difference of log-probs a mismatch
   */
  public Result step(Experience experience, double learningRate, boolean firstAfterRollout) {
    StepTable step = StepTable.of(experience, loss, maxTokens);
    MismatchMeter mismatch = new MismatchMeter();
    if (!step.hasTokens()) {
      return new Result(null, mismatch, new AdamW.StepResult(0, true), 0);
    }
    optimizer.prefetch();
    gradients.zero();
    if (!fused.isPresent() && loss.scope() == LossTerm.Scope.STEP) {
      TokenTable table = step.table();
      pass.score(step.samples(), temperature, new Scores(table.newLogprob, table.entropy));
      loss.evaluate(table, step.order());
    }
    pass.backward(step.samples(), headLoss(step.table()), reference, gradients);
    AdamW.StepResult stepped = optimizer.step(gradients, learningRate, scaler.scale());
    scaler.update(stepped.skipped());
    if (firstAfterRollout) {
      mismatch.add(step);
    }
    return new Result(loss.evaluate(step.table(), step.order()), mismatch, stepped, step.sampleTokens());
  }

  private HeadLoss headLoss(TokenTable table) {
    return fused.isPresent()
        ? new FusedLoss(backend, fused.get(), table, temperature, (float) scaler.scale())
        : new TermsLoss(backend, loss, table, temperature, (float) scaler.scale());
  }
}
