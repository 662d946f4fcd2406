package io.github.grpo4j.update;

import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.grpo.credit.grouping.LengthBuckets;
import io.github.grpo4j.grpo.loss.LossMetrics;
import io.github.grpo4j.grpo.loss.LossPipeline;
import io.github.grpo4j.grpo.loss.LossTerm;
import io.github.grpo4j.grpo.loss.StepTotals;
import io.github.grpo4j.grpo.loss.TokenTable;
import io.github.grpo4j.grpo.loss.fused.FusedPolicyLoss;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.LossHead.Inputs;
import io.github.grpo4j.model.LossHead.Scores;
import io.github.grpo4j.optim.AdamW;
import io.github.grpo4j.update.GradientPass.Sample;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * One optimizer step on a set of episodes: normalisers over all of them, gradients micro-batch by micro-batch, clip, AdamW.
 *
 * <p>Old log-probs are the ones the rollout stored. Since decoding and training agree to the bit, the ratio of the first
 * update after a rollout is exactly 1 (on the CPU); {@link MismatchMeter} watches it.
 *
 * <p>An episode whose gradient is known to be zero (advantage 0, and no term that ignores it) counts in the normalisers but is
 * not run through the model.
 */
public final class PolicyUpdate {
  /**
   * What one optimizer step reports. {@code trainedTokens}: prompt and completion tokens of all episodes that were trained on, a
   * prompt counted for each of its completions although a micro-batch computes it once; so it compares with other engines.
   */
  public record Result(LossMetrics metrics, MismatchMeter mismatch, AdamW.StepResult optimizer, long trainedTokens) {}

  private final GradientPass pass;
  private final Gradients gradients;
  private final AdamW optimizer;
  private final LossPipeline loss;
  private final Optional<FusedPolicyLoss> fused;
  private final float temperature;
  private final int maxTokens;
  private ReferencePolicy reference;

  /**
   * @param temperature that the rollout sampled at, so that log-probs are of the behaviour policy
   * @param maxTokens length limit of a completion, which an aggregation may divide by
   */
  public PolicyUpdate(GradientPass pass, Gradients gradients, AdamW optimizer, LossPipeline loss, float temperature, int maxTokens) {
    this.pass = pass;
    this.gradients = gradients;
    this.optimizer = optimizer;
    this.loss = loss;
    this.fused = FusedPolicyLoss.of(loss);
    this.temperature = temperature;
    this.maxTokens = maxTokens;
  }

  /** The frozen model that runs beside the policy where a term needs the exact KL divergence from it. */
  public void runBeside(ReferencePolicy frozen) {
    this.reference = frozen;
  }

  /**
   * @param advantages one per episode
   * @param refLogprobs of each episode's tokens under the reference model; null where no term needs them
   * @param firstAfterRollout whether the weights are still those that sampled the episodes: only then is a difference of
   *     log-probs a mismatch
   */
  public Result step(
      List<Episode> episodes, double[] advantages, List<float[]> refLogprobs, double learningRate, boolean firstAfterRollout) {
    return step(episodes, advantages, new boolean[episodes.size()], refLogprobs, learningRate, firstAfterRollout);
  }

  /** @param masked episodes that are in no loss, no normaliser and no metric */
  public Result step(List<Episode> episodes, double[] advantages, boolean[] masked, List<float[]> refLogprobs, double learningRate,
      boolean firstAfterRollout) {
    TokenTable table = table(episodes, advantages, masked, refLogprobs);
    List<Sample> run = new ArrayList<>();
    List<Integer> which = new ArrayList<>();
    for (int i = 0; i < episodes.size(); i++) {
      if (!masked[i] && (advantages[i] != 0 || loss.ignoresAdvantage())) {
        run.add(sampleOf(episodes.get(i), fused.isPresent() ? inputs(table, i) : null));
        which.add(i);
      } else {
        // What is not run keeps the rollout's own scores: exact in the first update, the last known ones in later updates.
        fill(table, i, new Scores(episodes.get(i).logprobs(), episodes.get(i).entropies()));
      }
    }
    optimizer.prefetch();
    gradients.zero();
    List<Scores> scores = backward(table, run, which);
    AdamW.StepResult stepped = optimizer.step(gradients, learningRate);

    MismatchMeter mismatch = new MismatchMeter();
    for (int k = 0; k < run.size(); k++) {
      fill(table, which.get(k), scores.get(k));
      if (firstAfterRollout) {
        mismatch.add(scores.get(k).logprob(), episodes.get(which.get(k)).logprobs());
      }
    }
    long tokens = run.stream().mapToLong(sample -> sample.ids().length).sum();
    return new Result(loss.evaluate(table), mismatch, stepped, tokens);
  }

  private List<Scores> backward(TokenTable table, List<Sample> run, List<Integer> which) {
    if (fused.isPresent()) {
      return pass.backward(run, fused.get().settings(), temperature, gradients);
    }
    boolean scoredFirst = loss.scope() == LossTerm.Scope.STEP;
    if (scoredFirst) {
      List<Scores> scores = pass.score(run, temperature);
      for (int k = 0; k < run.size(); k++) {
        fill(table, which.get(k), scores.get(k));
      }
      loss.evaluate(table);
    }
    int[] columns = which.stream().mapToInt(i -> table.starts[i]).toArray();
    return pass.backward(run, new TableDerivatives(loss, table, columns, scoredFirst), reference, temperature, gradients);
  }

  private TokenTable table(List<Episode> episodes, double[] advantages, boolean[] masked, List<float[]> refLogprobs) {
    int[] starts = offsets(episodes);
    int[] buckets = LengthBuckets.of(episodes.stream().mapToInt(episode -> episode.tokenIds().length).toArray());
    float[] weight = StepTotals.of(starts, null, masked, buckets, maxTokens).weights(loss.aggregation(), starts, null, masked, buckets);
    int tokens = starts[starts.length - 1];
    float[] old = new float[tokens];
    float[] ref = refLogprobs == null ? null : new float[tokens];
    float[] advantage = new float[tokens];
    for (int i = 0; i < episodes.size(); i++) {
      Arrays.fill(advantage, starts[i], starts[i + 1], (float) advantages[i]);
      System.arraycopy(episodes.get(i).logprobs(), 0, old, starts[i], starts[i + 1] - starts[i]);
      if (ref != null) {
        System.arraycopy(refLogprobs.get(i), 0, ref, starts[i], starts[i + 1] - starts[i]);
      }
    }
    return new TokenTable(starts, old, ref, advantage, weight, loss.needsExactKl());
  }

  /** The kernel's inputs of one sequence. */
  private Inputs inputs(TokenTable table, int sequence) {
    int from = table.starts[sequence];
    int to = table.starts[sequence + 1];
    float[] old = Arrays.copyOfRange(table.oldLogprob, from, to);
    float[] low = new float[to - from];
    float[] high = new float[to - from];
    fused.get().bounds(old, low, high);
    return new Inputs(Arrays.copyOfRange(table.weight, from, to), Arrays.copyOfRange(table.advantage, from, to), old,
        table.refLogprob == null ? null : Arrays.copyOfRange(table.refLogprob, from, to), low, high);
  }

  private static void fill(TokenTable table, int sequence, Scores scores) {
    System.arraycopy(scores.logprob(), 0, table.newLogprob, table.starts[sequence], scores.logprob().length);
    System.arraycopy(scores.entropy(), 0, table.entropy, table.starts[sequence], scores.entropy().length);
  }

  /** An episode as the gradient pass sees it. */
  static Sample sampleOf(Episode episode, Inputs inputs) {
    int[] ids = Arrays.copyOf(episode.promptIds(), episode.totalTokens());
    System.arraycopy(episode.tokenIds(), 0, ids, episode.promptIds().length, episode.tokenIds().length);
    return new Sample(ids, episode.promptIds().length, inputs);
  }

  private static int[] offsets(List<Episode> episodes) {
    int[] offsets = new int[episodes.size() + 1];
    for (int i = 0; i < episodes.size(); i++) {
      offsets[i + 1] = offsets[i] + episodes.get(i).tokenIds().length;
    }
    return offsets;
  }
}
