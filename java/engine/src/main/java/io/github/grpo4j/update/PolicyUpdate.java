package io.github.grpo4j.update;

import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.grpo.loss.Objective;
import io.github.grpo4j.grpo.loss.ObjectiveMetrics;
import io.github.grpo4j.grpo.loss.StepTotals;
import io.github.grpo4j.grpo.loss.TokenBatch;
import io.github.grpo4j.grpo.loss.TokenObjective;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.LossHead.Inputs;
import io.github.grpo4j.model.LossHead.Scores;
import io.github.grpo4j.optim.AdamW;
import io.github.grpo4j.optim.LossScaler;
import io.github.grpo4j.update.GradientPass.Sample;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * One optimizer step on a set of episodes: normalisers over all of them, gradients micro-batch by micro-batch, clip, AdamW.
 *
 * <p>Old log-probs are the ones the rollout stored. Since decoding and training agree to the bit, the ratio of the first
 * update after a rollout is exactly 1 (on the CPU); {@link MismatchMeter} watches it.
 *
 * <p>An episode whose gradient is known to be zero (advantage 0, no KL, no entropy bonus) counts in the normalisers but is
 * not run through the model.
 */
public final class PolicyUpdate {
  /**
   * What one optimizer step reports. {@code trainedTokens}: prompt and answer tokens of all episodes that were trained on, a
   * prompt counted for each of its answers although a micro-batch computes it once; so it compares with other engines.
   */
  public record Result(ObjectiveMetrics metrics, MismatchMeter mismatch, AdamW.StepResult optimizer, long trainedTokens) {}

  private final GradientPass pass;
  private final Gradients gradients;
  private final AdamW optimizer;
  private final LossScaler scaler;
  private final Objective objective;
  private final TokenObjective evaluator;
  private final float temperature;

  /** Without a factor on the loss. */
  public PolicyUpdate(GradientPass pass, Gradients gradients, AdamW optimizer, Objective objective, float temperature) {
    this(pass, gradients, optimizer, LossScaler.off(), objective, temperature);
  }

  /** @param temperature that the rollout sampled at, so that log-probs are of the behaviour policy */
  public PolicyUpdate(GradientPass pass, Gradients gradients, AdamW optimizer, LossScaler scaler, Objective objective, float temperature) {
    this.pass = pass;
    this.gradients = gradients;
    this.optimizer = optimizer;
    this.scaler = scaler;
    this.objective = objective;
    this.evaluator = new TokenObjective(objective);
    this.temperature = temperature;
  }

  /**
   * @param advantages one per episode
   * @param refLogprobs of each episode's tokens under the reference model, or null without KL
   * @param firstAfterRollout whether the weights are still those that sampled the episodes: only then is a difference of
   *     log-probs a mismatch
   */
  public Result step(
      List<Episode> episodes, double[] advantages, List<float[]> refLogprobs, double learningRate, boolean firstAfterRollout) {
    int[] cuSeqlens = offsets(episodes);
    float[] weights = objective.aggregation().weights(cuSeqlens, null, StepTotals.of(cuSeqlens, null));
    List<Sample> samples = samples(episodes, advantages, refLogprobs, cuSeqlens, weights);
    boolean[] active = new boolean[episodes.size()];
    List<Sample> run = new ArrayList<>();
    for (int i = 0; i < active.length; i++) {
      active[i] = advantages[i] != 0 || objective.kl().isUsed() || objective.entropyCoef() != 0;
      if (active[i]) {
        run.add(samples.get(i));
      }
    }
    optimizer.prefetch();
    gradients.zero();
    List<Scores> scores = backward(run);
    AdamW.StepResult stepped = optimizer.step(gradients, learningRate, scaler.scale());
    scaler.update(stepped.skipped());

    MismatchMeter mismatch = new MismatchMeter();
    ObjectiveMetrics metrics = new ObjectiveMetrics();
    int next = 0;
    for (int i = 0; i < episodes.size(); i++) {
      Episode episode = episodes.get(i);
      // What was not run keeps the rollout's own scores: exact in the first update, the last known ones in later updates.
      Scores score = active[i] ? scores.get(next++) : new Scores(episode.logprobs(), episode.entropies());
      if (active[i] && firstAfterRollout) {
        mismatch.add(score.logprob(), episode.logprobs());
      }
      metrics.add(evaluator.evaluate(batchOf(samples.get(i).inputs(), score)).metrics());
    }
    long tokens = run.stream().mapToLong(sample -> sample.ids().length).sum();
    return new Result(metrics, mismatch, stepped, tokens);
  }

  private List<Scores> backward(List<Sample> samples) {
    if (objective.isFused()) {
      return pass.backward(scaled(samples), objective.toTokenLoss(), temperature, gradients);
    }
    // The derivative of a token depends on its whole sequence, so log-probs come first, in a pass of their own.
    List<Scores> scores = pass.score(samples, temperature);
    List<Sample> weighted = new ArrayList<>();
    for (int i = 0; i < samples.size(); i++) {
      Sample sample = samples.get(i);
      float[] dLogprob = evaluator.evaluate(batchOf(sample.inputs(), scores.get(i))).dLogprob();
      weighted.add(new Sample(sample.ids(), sample.firstTarget(), Inputs.linear(dLogprob)));
    }
    return pass.backward(scaled(weighted), objective.toTokenLoss(), temperature, gradients);
  }

  /** With the factor on the loss: the whole loss of a token is a multiple of its weight. */
  private List<Sample> scaled(List<Sample> samples) {
    float factor = (float) scaler.scale();
    return factor == 1 ? samples : samples.stream().map(sample -> {
      Inputs inputs = sample.inputs();
      float[] weight = inputs.weight().clone();
      for (int t = 0; t < weight.length; t++) {
        weight[t] *= factor;
      }
      return new Sample(sample.ids(), sample.firstTarget(), new Inputs(weight, inputs.advantage(), inputs.oldLogprob(), inputs.refLogprob(),
          inputs.clipLow(), inputs.clipHigh()));
    }).toList();
  }

  private List<Sample> samples(
      List<Episode> episodes, double[] advantages, List<float[]> refLogprobs, int[] cuSeqlens, float[] weights) {
    List<Sample> samples = new ArrayList<>(episodes.size());
    for (int i = 0; i < episodes.size(); i++) {
      Episode episode = episodes.get(i);
      int tokens = episode.tokenIds().length;
      float[] advantage = new float[tokens];
      Arrays.fill(advantage, (float) advantages[i]);
      float[] low = new float[tokens];
      float[] high = new float[tokens];
      objective.clipping().bounds(episode.logprobs(), low, high);
      Inputs inputs = new Inputs(Arrays.copyOfRange(weights, cuSeqlens[i], cuSeqlens[i + 1]), advantage, episode.logprobs(),
          refLogprobs == null ? null : refLogprobs.get(i), low, high);
      samples.add(sampleOf(episode, inputs));
    }
    return samples;
  }

  /** An episode as the gradient pass sees it. */
  static Sample sampleOf(Episode episode, Inputs inputs) {
    int[] ids = Arrays.copyOf(episode.promptIds(), episode.totalTokens());
    System.arraycopy(episode.tokenIds(), 0, ids, episode.promptIds().length, episode.tokenIds().length);
    return new Sample(ids, episode.promptIds().length, inputs);
  }

  private static TokenBatch batchOf(Inputs inputs, Scores score) {
    return new TokenBatch(new int[] {0, score.logprob().length}, score.logprob(), inputs.oldLogprob(), inputs.refLogprob(), score.entropy(),
        inputs.advantage(), inputs.weight());
  }

  private static int[] offsets(List<Episode> episodes) {
    int[] offsets = new int[episodes.size() + 1];
    for (int i = 0; i < episodes.size(); i++) {
      offsets[i + 1] = offsets[i] + episodes.get(i).tokenIds().length;
    }
    return offsets;
  }
}
