package io.github.grpo4j.track;

/**
 * A kind of tracker that a configuration can name: a record of its options. Kinds are found by {@link java.util.ServiceLoader} or by
 * class name, see {@code builtin.TrackerFactories}.
 */
@FunctionalInterface
public interface TrackerFactory {
  /** A tracker for one run, not yet started. Opens nothing: that is for {@link Tracker#start}, on the tracker's own thread. */
  Tracker create();
}
