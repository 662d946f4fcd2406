package io.github.grpo4j.cli;

import io.github.grpo4j.config.ConfigLoader;
import io.github.grpo4j.config.LoadedConfig;
import io.github.grpo4j.config.Presets;
import io.github.grpo4j.config.RunConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Options of every command that reads a configuration. */
final class ConfigOptions {
  @Option(names = "--config", paramLabel = "FILE", description = "YAML configuration; without it every key has its default.")
  private Path config;

  @Option(names = "--set", paramLabel = "GROUP.KEY=VALUE", description = "Overrides a key of the configuration; may be repeated.")
  private List<String> assignments = new ArrayList<>();

  @Option(names = "--preset", paramLabel = "NAME", description = "A published recipe, above the file and below --set: ${COMPLETION-CANDIDATES}.",
      completionCandidates = PresetNames.class)
  private String preset;

  @Option(names = "--print-config", description = "Print the resolved configuration, with where each value comes from, and exit.")
  private boolean print;

  private LoadedConfig loaded;

  /** For the help text. */
  static final class PresetNames implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return Presets.names().iterator();
    }
  }

  /** The resolved configuration; {@code more} are assignments from options of the command itself, which win. */
  RunConfig load(List<String> more) {
    return load(Optional.empty(), more);
  }

  /** @param fallback read where no file is named */
  RunConfig load(Optional<Path> fallback, List<String> more) {
    List<String> all = new ArrayList<>(assignments);
    all.addAll(more);
    if (preset != null) {
      all.add("preset=" + preset);
    }
    Path file = config != null ? config : fallback.orElse(null);
    loaded = file == null ? ConfigLoader.read("", "defaults", all) : ConfigLoader.read(file, all);
    loaded.notes().forEach(note -> System.err.println("grpo4j: " + note));
    return loaded.config();
  }

  /** Whether the command only shows its configuration; prints it in that case. */
  boolean printed(RunConfig resolved) {
    if (print) {
      System.out.print(loaded.config().equals(resolved) ? ConfigLoader.toAnnotatedYaml(loaded) : ConfigLoader.toYaml(resolved));
    }
    return print;
  }
}
