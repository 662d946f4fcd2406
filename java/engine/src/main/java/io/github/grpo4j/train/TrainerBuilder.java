package io.github.grpo4j.train;

import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.curriculum.Curriculum;
import io.github.grpo4j.reward.EpisodeScorer;
import io.github.grpo4j.reward.RewardFunction;
import io.github.grpo4j.reward.RewardSet;
import io.github.grpo4j.session.RunInputs;
import io.github.grpo4j.track.Tracker;
import io.github.grpo4j.track.TrackerFactory;
import java.util.ArrayList;
import java.util.List;

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
  private final List<RewardSet.Weighted> rewards = new ArrayList<>();
  private final List<Tracker> trackers = new ArrayList<>();
  private Curriculum curriculum;
  private TrainingListener listener = TrainingListener.NONE;

  TrainerBuilder(RunConfig config) {
    this.config = config;
    this.curriculum = config.data().curriculum();
  }

  /**
   * Adds a reward function. Those that are given take the place of the configuration's {@code reward.function} and {@code reward.others};
   * each call may take {@code reward.timeout_s}.
   *
   * @param name of its metrics {@code rewards/NAME/…}, unlike those of the others
   * @throws IllegalArgumentException if the name is taken or the weight is not a number
   */
  public TrainerBuilder reward(String name, RewardFunction function, double weight) {
    List<RewardSet.Weighted> more = new ArrayList<>(rewards);
    more.add(new RewardSet.Weighted(name, function, weight));
    new RewardSet(more, config.reward().timeoutS()); // throws here, where the name was given
    rewards.add(more.get(more.size() - 1));
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

  EpisodeScorer scorer(RunInputs inputs) {
    return rewards.isEmpty() ? inputs.scorer() : inputs.scorer(new RewardSet(rewards, config.reward().timeoutS()));
  }
}
