package io.github.grpo4j.config;

import io.github.grpo4j.options.Registry;
import java.util.List;
import java.util.Optional;

/** All choices that a configuration can make by kind: a component of one of these types is read as {@code {kind: NAME, …}}. */
final class Choices {
  private static final List<Registry<?>> ALL = List.of();

  private Choices() {}

  static List<Registry<?>> all() {
    return ALL;
  }

  /** The registry of a component's type; empty if it is no choice. */
  static Optional<Registry<?>> of(Class<?> type) {
    return ALL.stream().filter(registry -> registry.type() == type).findFirst();
  }
}
