package io.github.grpo4j.track;

import java.util.List;
import java.util.Map;

/**
 * Takes the metrics and samples of a run. The trainer calls it from one thread, in the order of steps.
 *
 * <p>A checkpoint keeps {@link #offsets}; a tracker opened with them goes on exactly there, so that what was reported after
 * the checkpoint and before the run stopped is not in the record twice.
 */
public interface Tracker extends AutoCloseable {
  /**
   * Records the metrics of a step.
   *
   * @param metrics by name, see {@link Metrics}; an infinite or undefined value is recorded as missing
   */
  void metrics(long step, Map<String, ? extends Number> metrics);

  void samples(List<Sample> samples);

  /** How far each of the tracker's files has come, by file name, in bytes that are safely stored; empty if it has none. */
  Map<String, Long> offsets();

  @Override
  void close();
}
