package io.github.grpo4j.train;

import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.grpo.credit.Credits;
import io.github.grpo4j.grpo.loss.LossMetrics;
import io.github.grpo4j.model.ModelWeights;
import io.github.grpo4j.optim.LearningRateSchedule;
import io.github.grpo4j.track.Metrics;
import io.github.grpo4j.update.Experience;
import io.github.grpo4j.update.PolicyUpdate;
import io.github.grpo4j.update.ReferencePolicy;
import io.github.grpo4j.update.StepEvidence;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The optimizer steps of one rollout: its questions, in order, cut into {@code grpo.updates_per_rollout} mini-batches. */
final class RolloutUpdate {
  private final RunConfig config;
  private final PolicyUpdate update;
  private final ReferencePolicy reference;
  private final ModelWeights policy;
  private final LearningRateSchedule schedule;

  /**
   * @param reference null without KL
   * @param policy the weights that are trained
   */
  RolloutUpdate(RunConfig config, PolicyUpdate update, ReferencePolicy reference, ModelWeights policy, LearningRateSchedule schedule) {
    this.config = config;
    this.update = update;
    this.reference = reference;
    this.policy = policy;
    this.schedule = schedule;
  }

  /** What the updates of one rollout were, taken together. */
  static final class UpdateResult {
    private final Map<String, Double> metrics = new LinkedHashMap<>();
    private final Map<String, Double> ofFirst = new LinkedHashMap<>();
    private final List<LossMetrics> losses = new ArrayList<>();
    private double gradNorms;
    private int count;
    private int skipped;
    private long trainedTokens;
    private double learningRate;

    private void add(PolicyUpdate.Result result, double rate) {
      count++;
      skipped += result.optimizer().skipped() ? 1 : 0;
      trainedTokens += result.trainedTokens();
      learningRate = rate;
      if (result.metrics() != null) {
        losses.add(result.metrics());
        gradNorms += result.optimizer().gradNorm();
      }
      if (!result.mismatch().isEmpty()) {
        ofFirst.put(Metrics.LOGP_DIFFERENCE_MEAN, result.mismatch().mean());
        ofFirst.put(Metrics.LOGP_DIFFERENCE_MAX, result.mismatch().max());
      }
    }

    private void combine() {
      metrics.putAll(LossMetrics.combined(losses));
      if (!losses.isEmpty()) {
        metrics.put(Metrics.GRAD_NORM, gradNorms / losses.size());
      }
      metrics.putAll(ofFirst);
    }

    /** Means over the updates; extremes are those of all updates, and the distance of log-probs is the first one's. */
    Map<String, Double> metrics() {
      return metrics;
    }

    /** Optimizer steps, those that were left out included. */
    int count() {
      return count;
    }

    /** Optimizer steps left out because the gradient was not finite or nothing was left to learn from. */
    int skipped() {
      return skipped;
    }

    long trainedTokens() {
      return trainedTokens;
    }

    /** The last update's. */
    double learningRate() {
      return learningRate;
    }
  }

  /**
   * @param episodes group by group, {@code rollout.answers_per_question} each
   * @param credits of the episodes; an update that has none but masked ones is left out
   * @param evidence old and reference log-probs
   * @param optimizerSteps that the run has done before
   */
  UpdateResult run(List<Episode> episodes, Credits credits, StepEvidence evidence, long optimizerSteps) {
    Experience experience = Experience.of(episodes, credits.advantages()).withMasked(credits.masked());
    if (config.rescoresRollout()) {
      experience = experience.withOld(evidence.rescored());
    }
    if (config.loss().needsReference()) {
      experience = experience.withReference(evidence.referenceLogprobs());
    }
    UpdateResult updated = new UpdateResult();
    int completions = config.rollout().answersPerQuestion();
    int questions = episodes.size() / completions;
    int updates = Math.min(config.grpo().updatesPerRollout(), questions);
    for (int u = 0; u < updates; u++) {
      int from = (int) ((long) questions * u / updates) * completions;
      int to = (int) ((long) questions * (u + 1) / updates) * completions;
      double rate = schedule.at(optimizerSteps + u);
      updated.add(update.step(experience.part(from, to), rate, updated.losses.isEmpty() && !config.rescoresRollout()), rate);
    }
    updated.combine();
    if (reference != null && config.grpo().referenceRefresh().isDue(optimizerSteps, optimizerSteps + updates)) {
      reference.refresh(policy, config.grpo().referenceRefresh().share());
    }
    return updated;
  }
}
