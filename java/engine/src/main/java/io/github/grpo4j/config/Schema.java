package io.github.grpo4j.config;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The options of a configuration record, {@code group.key}, with their types: groups are its components, keys are theirs. */
final class Schema {
  private final Map<String, Map<String, OptionType>> groups = new LinkedHashMap<>();

  private Schema(Class<? extends Record> configuration) {
    OptionType.components(configuration).forEach((name, type) -> groups.put(name, OptionType.components(((OptionType.Group) type).type())));
  }

  static Schema of(Class<? extends Record> configuration) {
    return new Schema(configuration);
  }

  List<String> groups() {
    return List.copyOf(groups.keySet());
  }

  boolean isGroup(String name) {
    return groups.containsKey(name);
  }

  /** All options, in the order of the records. */
  List<String> options() {
    List<String> options = new ArrayList<>();
    groups.forEach((group, keys) -> keys.keySet().forEach(key -> options.add(group + "." + key)));
    return options;
  }

  /** The type of {@code group.key}, or null if there is no such option. */
  OptionType typeOf(String option) {
    int dot = option.indexOf('.');
    return dot < 0 ? null : groups.getOrDefault(option.substring(0, dot), Map.of()).get(option.substring(dot + 1));
  }

  /** {@code grpo.surrogate} of {@code grpo.surrogate.low}; the name itself where it has no third level. */
  static String optionOf(String name) {
    int first = name.indexOf('.');
    int second = first < 0 ? -1 : name.indexOf('.', first + 1);
    return second < 0 ? name : name.substring(0, second);
  }
}
