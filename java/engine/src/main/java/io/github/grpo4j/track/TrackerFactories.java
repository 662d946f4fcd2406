package io.github.grpo4j.track;

import io.github.grpo4j.options.Registry;

/** The kinds of tracker that a run may have beside its own record. */
public final class TrackerFactories {
  public static final Registry<TrackerFactory> REGISTRY = Registry.of(TrackerFactory.class);

  private TrackerFactories() {}
}
