package io.github.grpo4j.benchmarks;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.config.BackendOptions;
import io.github.grpo4j.session.ModelSession;
import java.util.Locale;

/** What a benchmark runs on: the processor with all its cores, or with {@code -jvmArgsAppend -Dgrpo4j.benchmark.device=cuda} a GPU. */
final class Devices {
  private static final String PROPERTY = "grpo4j.benchmark.device";

  private Devices() {}

  static Backend open() {
    String name = System.getProperty(PROPERTY, "cpu");
    BackendOptions.Device device = BackendOptions.Device.valueOf(name.toUpperCase(Locale.ROOT));
    return ModelSession.openBackend(new BackendOptions(device, Runtime.getRuntime().availableProcessors()));
  }
}
