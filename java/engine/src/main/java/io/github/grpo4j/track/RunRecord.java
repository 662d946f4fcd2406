package io.github.grpo4j.track;

import java.util.Map;

/**
 * The tracker that a run waits for, since its checkpoints say how far it has come: what was recorded after a checkpoint and before the
 * run stopped is not in the record twice. It is called on the run's own thread, and its failure is the run's.
 */
public interface RunRecord extends Tracker {
  /** How far each of its files has come, by file name, in bytes that are safely stored. */
  Map<String, Long> offsets();
}
