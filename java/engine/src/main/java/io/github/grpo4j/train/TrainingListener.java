package io.github.grpo4j.train;

import io.github.grpo4j.episode.ScoredEpisode;
import io.github.grpo4j.rollout.RolloutListener;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Follows a training run, on the run's own thread. Every method may be left out. */
public interface TrainingListener {
  TrainingListener NONE = new TrainingListener() {};

  /** What a step is busy with. */
  enum Phase {
    ROLLOUT,
    UPDATE,
    EVALUATION,
    CHECKPOINT
  }

  /**
   * The run begins or goes on.
   *
   * @param firstStep first step to come; above 1 for a resumed run
   * @param message one sentence on where it starts from
   */
  default void started(int firstStep, int totalSteps, String message) {}

  default void phase(int step, Phase phase) {}

  /** Progress inside a rollout or an evaluation. */
  default RolloutListener rolloutListener(int step, Phase phase) {
    return RolloutListener.NONE;
  }

  /** The metrics row of a step, evaluation included; step 0 holds the evaluation before any update. */
  default void step(int step, Map<String, Number> metrics) {}

  /** Episodes of a step, after they were scored. */
  default void episodes(int step, List<ScoredEpisode> episodes) {}

  /**
   * An evaluation is done, before its step's metrics.
   *
   * @param traces one completion of each bucket of lengths, by the bucket's name: {@code short}, {@code medium}, {@code long}
   */
  default void traces(int step, Map<String, ScoredEpisode> traces) {}

  default void checkpoint(int step, Path folder) {}

  /** Something that the user should know and that does not end the run. */
  default void warning(String message) {}
}
