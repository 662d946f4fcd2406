package io.github.grpo4j.config;

import java.util.List;
import java.util.Map;

/**
 * A configuration with what its author may want to know about it.
 *
 * @param origins where each option's value comes from, by canonical name, as {@code config.yaml:12} or {@code preset dr_grpo}; an option
 *     that is not in it has its default
 * @param notes sentences on keys that were understood and have no effect here
 */
public record LoadedConfig(RunConfig config, Map<String, String> origins, List<String> notes) {
  public LoadedConfig {
    origins = Map.copyOf(origins);
    notes = List.copyOf(notes);
  }
}
