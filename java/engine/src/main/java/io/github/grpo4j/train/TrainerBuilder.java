package io.github.grpo4j.train;

import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.curriculum.Curriculum;
import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.reward.EpisodeScorer;
import io.github.grpo4j.reward.RewardFunction;
import io.github.grpo4j.session.RunInputs;
import io.github.grpo4j.track.Tracker;
import io.github.grpo4j.track.TrackerFactory;
import io.github.grpo4j.train.WeightedRewards.Weighted;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A training run with parts of one's own, beside what the configuration names.
 *
 * <pre>{@code
 * try (Trainer trainer = Trainer.builder(config).reward("brief", brief, 1.0).tracker(tracker).listener(listener).open()) {
 *   trainer.run();
 * }
 * }</pre>
 *
 * <p>A checkpoint does not know these parts: whoever goes on with a run gives it the same ones again.
 */
public final class TrainerBuilder {
  private final RunConfig config;
  private final List<Weighted> rewards = new ArrayList<>();
  private final List<Tracker> trackers = new ArrayList<>();
  private Curriculum curriculum;
  private TrainingListener listener = TrainingListener.NONE;

  TrainerBuilder(RunConfig config) {
    this.config = config;
    this.curriculum = config.data().curriculum();
  }

  /**
   * Adds a reward function. Those that are given take the place of the configuration's {@code reward}; their weighted totals are
   * summed, and accuracy is what the first of them calls correct.
   *
   * @param name of its metrics {@code rewards/NAME/mean} and {@code /std}, unlike those of the others
   * @throws IllegalArgumentException if the name is taken or the weight is not a number
   */
  public TrainerBuilder reward(String name, RewardFunction function, double weight) {
    if (name.isBlank() || name.equals(Reward.ANSWER) || rewards.stream().anyMatch(given -> given.name().equals(name))) {
      throw new IllegalArgumentException("the name \"" + name + "\" of a reward is taken or empty; each needs one of its own");
    }
    if (!Double.isFinite(weight)) {
      throw new IllegalArgumentException("the weight of reward " + name + " is " + weight + "; it must be a number");
    }
    rewards.add(new Weighted(name, function, weight));
    return this;
  }

  /** Adds a tracker, beside the run's own record; it is closed with the run. */
  public TrainerBuilder tracker(Tracker tracker) {
    trackers.add(tracker);
    return this;
  }

  /** Adds a tracker of some kind. */
  public TrainerBuilder tracker(TrackerFactory factory) {
    return tracker(factory.create());
  }

  /** The order of problems, in place of the configuration's. */
  public TrainerBuilder curriculum(Curriculum curriculum) {
    this.curriculum = curriculum;
    return this;
  }

  /** Follows the run; the last one given counts. */
  public TrainerBuilder listener(TrainingListener listener) {
    this.listener = listener;
    return this;
  }

  /** Opens model, data and run directory, and goes on from a checkpoint where {@code training.resume} says so. */
  public Trainer open() {
    return new Trainer(this);
  }

  RunConfig config() {
    return config;
  }

  List<Tracker> trackers() {
    List<Tracker> all = new ArrayList<>(trackers);
    config.training().trackers().forEach(factory -> all.add(factory.create()));
    return all;
  }

  Curriculum curriculum() {
    return curriculum;
  }

  TrainingListener listener() {
    return listener;
  }

  /** Factors of a reward's components in its total. */
  Map<String, Double> partWeights() {
    if (rewards.isEmpty()) {
      return config.reward().weights();
    }
    Map<String, Double> weights = new LinkedHashMap<>();
    rewards.forEach(reward -> weights.put(reward.name(), reward.weight()));
    return weights;
  }

  EpisodeScorer scorer(RunInputs inputs) {
    return rewards.isEmpty() ? inputs.scorer() : inputs.scorer(new WeightedRewards(rewards));
  }
}
