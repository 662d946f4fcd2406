package io.github.grpo4j.train;

import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.grpo.credit.Credits;
import io.github.grpo4j.optim.LearningRateSchedule;
import io.github.grpo4j.track.Metrics;
import io.github.grpo4j.update.PolicyUpdate;
import io.github.grpo4j.update.StepEvidence;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** The optimizer steps of one rollout: its questions, in order, cut into {@code grpo.updates_per_rollout} mini-batches. */
final class RolloutUpdate {
  private final RunConfig config;
  private final PolicyUpdate update;
  private final LearningRateSchedule schedule;

  RolloutUpdate(RunConfig config, PolicyUpdate update, LearningRateSchedule schedule) {
    this.config = config;
    this.update = update;
    this.schedule = schedule;
  }

  /** What the updates of one rollout were, taken together. */
  static final class Updated {
    private final Map<String, Double> metrics = new LinkedHashMap<>();
    private int count;
    private int empty;
    private int skipped;
    private long trainedTokens;
    private double learningRate;

    private void add(PolicyUpdate.Result result, double rate) {
      count++;
      skipped += result.optimizer().skipped() ? 1 : 0;
      trainedTokens += result.trainedTokens();
      learningRate = rate;
      result.metrics().toMap().forEach((name, value) -> metrics.merge(name, value, Double::sum));
      metrics.merge(Metrics.GRAD_NORM, result.optimizer().gradNorm(), Double::sum);
      if (!result.mismatch().isEmpty()) {
        metrics.put(Metrics.LOGP_DIFFERENCE_MEAN, result.mismatch().mean());
        metrics.put(Metrics.LOGP_DIFFERENCE_MAX, result.mismatch().max());
      }
    }

    /** An update without episodes. */
    private void leaveOut(double rate) {
      count++;
      empty++;
      learningRate = rate;
    }

    private void average() {
      metrics.replaceAll((name, value) -> name.startsWith("sampling/") ? value : value / (count - empty));
    }

    /** True as long as the weights are those that sampled the episodes. */
    private boolean isFirst() {
      return count == empty;
    }

    /** Means over the updates, but for the distance of log-probs, which is the first one's. */
    Map<String, Double> metrics() {
      return metrics;
    }

    /** Optimizer steps, those that were left out included. */
    int count() {
      return count;
    }

    /** Optimizer steps left out because the gradient was not finite or no episode was left to train on. */
    int skipped() {
      return skipped + empty;
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
   * @param credits of the episodes; those that are masked are left out, and so is an update that has no others
   * @param evidence gives the reference model's log-probs
   * @param optimizerSteps that the run has done before
   */
  Updated run(List<Episode> episodes, Credits credits, StepEvidence evidence, long optimizerSteps) {
    List<float[]> refLogprobs = config.objective().kl().isUsed() ? evidence.referenceLogprobs() : null;
    Updated updated = new Updated();
    int answers = config.rollout().answersPerQuestion();
    int questions = episodes.size() / answers;
    int updates = Math.min(config.grpo().updatesPerRollout(), questions);
    for (int u = 0; u < updates; u++) {
      int from = (int) ((long) questions * u / updates) * answers;
      int to = (int) ((long) questions * (u + 1) / updates) * answers;
      double rate = schedule.at(optimizerSteps + u);
      int[] trained = IntStream.range(from, to).filter(i -> !credits.masked()[i]).toArray();
      if (trained.length == 0) {
        updated.leaveOut(rate);
      } else {
        updated.add(update.step(pick(episodes, trained), Arrays.stream(trained).mapToDouble(i -> credits.advantages()[i]).toArray(),
            refLogprobs == null ? null : pick(refLogprobs, trained), rate, updated.isFirst()), rate);
      }
    }
    updated.average();
    return updated;
  }

  private static <T> List<T> pick(List<T> list, int[] indices) {
    return Arrays.stream(indices).mapToObj(list::get).toList();
  }
}
