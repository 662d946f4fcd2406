package io.github.grpo4j.track.builtin;

import io.github.grpo4j.options.Registry;
import io.github.grpo4j.track.TrackerFactory;

/** The kinds of tracker that a run may have beside its own record. */
public final class TrackerFactories {
  public static final Registry<TrackerFactory> REGISTRY = Registry.of(TrackerFactory.class);

  private TrackerFactories() {}
}
