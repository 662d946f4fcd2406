package io.github.grpo4j.track;

import java.util.List;
import java.util.Map;

/**
 * Takes what a run tells: metrics of each step, what the model wrote, how it ended. Any number of them may follow one run.
 *
 * <p>A tracker has a thread and a queue of its own ({@link Trackers}): all its methods are called from that thread, in the order of
 * events. It cannot stop or slow the run. Whatever it throws ends its work and becomes one warning; events that it is too slow for are
 * left out.
 */
public interface Tracker extends AutoCloseable {
  /** The run begins or goes on. Called once, before everything else. */
  default void start(RunInfo run) {}

  /**
   * The metrics of a step, evaluation included; step 0 is the evaluation before any update.
   *
   * @param metrics by name in the order of {@link Metrics}; an infinite or undefined value is to be recorded as missing
   */
  void metrics(long step, Map<String, ? extends Number> metrics);

  /** What the model wrote in a rollout, before the metrics of the same step. */
  default void samples(List<Sample> samples) {}

  /**
   * One completion of each bucket of lengths, after an evaluation and before the metrics of its step.
   *
   * @param traces their split is {@value Sample#EVAL_TRACE} and the bucket: {@code short}, {@code medium} or {@code long}
   */
  default void traces(List<Sample> traces) {}

  /** The run has ended. Called once, before {@link #close}. */
  default void finish(Outcome outcome) {}

  @Override
  default void close() {}
}
