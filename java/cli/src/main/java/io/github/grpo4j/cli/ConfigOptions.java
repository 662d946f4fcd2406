package io.github.grpo4j.cli;

import io.github.grpo4j.train.config.ConfigLoader;
import io.github.grpo4j.train.config.RunConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;

/** Options of every command that reads a configuration. */
final class ConfigOptions {
  @Option(names = "--config", paramLabel = "FILE", description = "YAML configuration; without it every key has its default.")
  Path config;

  @Option(names = "--set", paramLabel = "GROUP.KEY=VALUE", description = "Overrides a key of the configuration; may be repeated.")
  List<String> assignments = new ArrayList<>();

  @Option(names = "--print-config", description = "Print the resolved configuration and exit.")
  boolean print;

  /** The resolved configuration; {@code more} are assignments from options of the command itself, which win. */
  RunConfig load(List<String> more) {
    List<String> all = new ArrayList<>(assignments);
    all.addAll(more);
    return config == null ? ConfigLoader.parse("", "defaults", all) : ConfigLoader.load(config, all);
  }
}
