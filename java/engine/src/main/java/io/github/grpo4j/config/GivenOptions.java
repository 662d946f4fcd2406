package io.github.grpo4j.config;

import com.fasterxml.jackson.core.JsonToken;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * One layer of a configuration, such as a file: what is given, by canonical option name. The keys of a choice are names of a third
 * level, {@code grpo.surrogate.kind} and {@code grpo.surrogate.low}; a bare name is the kind.
 */
final class GivenOptions {
  private final Schema schema;
  private final Map<String, GivenOption> values = new LinkedHashMap<>();
  private String preset;

  GivenOptions(Schema schema) {
    this.schema = schema;
  }

  Map<String, GivenOption> values() {
    return values;
  }

  /** The preset that this layer asks for; null: none. */
  String preset() {
    return preset;
  }

  /**
   * Reads a whole file.
   *
   * @param name what messages call it
   */
  static GivenOptions ofFile(Schema schema, String text, String name) {
    GivenOptions settings = new GivenOptions(schema);
    YamlParser.parseFile(text, name).ifPresent(settings::readGroups);
    return settings;
  }

  private void readGroups(YamlNode root) {
    if (!(root instanceof YamlNode.Entries groups)) {
      throw new ConfigException(root.place() + ": a configuration consists of groups of keys: " + String.join(", ", schema.groups()));
    }
    Set<String> seen = new HashSet<>();
    for (YamlNode.Entry group : groups.entries()) {
      if (!seen.add(group.key())) {
        throw new ConfigException(group.place() + ": the group " + group.key() + " is given twice");
      }
      if (group.key().equals(Presets.KEY)) {
        readPreset(group.value(), group.place());
      } else {
        readGroup(group);
      }
    }
  }

  private void readPreset(YamlNode value, String place) {
    if (!(value instanceof YamlNode.Scalar name)) {
      throw new ConfigException(place + ": preset is one name; " + Presets.list());
    }
    preset = name.isEmpty() ? null : Presets.require(name.text(), place);
  }

  private void readGroup(YamlNode.Entry group) {
    boolean known = schema.isGroup(group.key()) || OriginalKeys.isGroup(group.key());
    if (!known) {
      throw new ConfigException(group.place() + ": unknown group \"" + group.key() + "\"; "
          + Suggestions.among(group.key(), schema.groups(), "the groups are"));
    }
    if (group.value() instanceof YamlNode.Scalar empty && empty.isEmpty()) {
      return;
    }
    if (!(group.value() instanceof YamlNode.Entries keys)) {
      throw new ConfigException(group.place() + ": " + group.key() + " is a group of keys, not a value");
    }
    for (YamlNode.Entry key : keys.entries()) {
      read(group.key() + "." + key.key(), key.value(), key.place(), true);
    }
  }

  /** Reads {@code group.key=value} or {@code group.key.component=value}, the value in YAML; later ones win. */
  void readAssignment(String assignment) {
    String place = "--set " + assignment;
    int equals = assignment.indexOf('=');
    if (equals < 0) {
      throw new ConfigException(place + ": an assignment is written group.key=value");
    }
    String name = assignment.substring(0, equals).strip();
    String value = assignment.substring(equals + 1).strip();
    if (name.equals(Presets.KEY)) {
      preset = Presets.require(value, place);
      return;
    }
    String option = canonical(name, place);
    if (schema.typeOf(option) == OptionType.Scalar.TEXT) {
      put(option, new GivenOption(text(value, place), place, name), false);
      return;
    }
    YamlNode node = YamlParser.parseValue(value, place)
        .orElseThrow(() -> new ConfigException(place + ": " + name + " has no value"));
    read(name, node, place, false);
  }

  /** Text needs no quotes on a command line. */
  private static YamlNode text(String value, String place) {
    return new YamlNode.Scalar(JsonToken.VALUE_STRING, value, place);
  }

  private void read(String name, YamlNode value, String place, boolean once) {
    if (OriginalKeys.isSwitch(name)) {
      put(name, new GivenOption(value, place, name), once);
      return;
    }
    String option = canonical(name, place);
    boolean lenient = Aliases.isLenient(name);
    if (value instanceof YamlNode.Scalar empty && empty.isEmpty()) {
      return; // An empty value leaves the default.
    }
    if (schema.typeOf(option) instanceof OptionType.Choice) {
      readChoice(option, name, value, place, once);
    } else {
      put(option, new GivenOption(value, place, name, lenient), once);
    }
  }

  private void readChoice(String option, String name, YamlNode value, String place, boolean once) {
    String kind = option + "." + ConfigJson.KIND;
    if (value instanceof YamlNode.Scalar) {
      put(kind, new GivenOption(value, place, name), once);
    } else if (value instanceof YamlNode.Entries entries) {
      for (YamlNode.Entry entry : entries.entries()) {
        if (!(entry.value() instanceof YamlNode.Scalar empty && empty.isEmpty())) {
          put(option + "." + entry.key(), new GivenOption(entry.value(), entry.place(), name + "." + entry.key()), once);
        }
      }
    } else {
      throw new ConfigException(place + ": " + name + " is the name of a kind, or a group with " + ConfigJson.KIND + " and its keys");
    }
  }

  private void put(String option, GivenOption setting, boolean once) {
    GivenOption earlier = values.put(option, setting);
    if (earlier != null && once) {
      throw new ConfigException(setting.place() + ": " + setting.name() + " is given twice, first at " + earlier.place());
    }
  }

  /** The option that a name means; throws if there is none. The keys of a choice are checked when its kind is known. */
  private String canonical(String name, String place) {
    String option = Aliases.canonical(name);
    String twoLevels = Schema.optionOf(option);
    OptionType type = schema.typeOf(twoLevels);
    if (type == null) {
      int dot = name.indexOf('.');
      String group = dot < 0 ? name : name.substring(0, dot);
      String hint = dot < 0 || !schema.isGroup(group)
          ? Suggestions.among(group, schema.groups(), "the groups are") : Suggestions.forOption(name, schema.options());
      throw new ConfigException(place + ": unknown key \"" + name + "\"; " + hint);
    }
    if (!option.equals(twoLevels) && !(type instanceof OptionType.Choice)) {
      throw new ConfigException(place + ": " + twoLevels + " is one value and has no keys of its own, such as " + name);
    }
    return option;
  }

  /**
   * Several layers as one. A choice of another kind drops the keys that lower layers gave for theirs.
   *
   * @param layers lowest first
   */
  static Map<String, GivenOption> merged(List<GivenOptions> layers) {
    Map<String, GivenOption> merged = new LinkedHashMap<>();
    for (GivenOptions layer : layers) {
      layer.values.forEach((option, setting) -> {
        if (option.endsWith("." + ConfigJson.KIND) && !option.equals(Schema.optionOf(option)) && changes(merged.get(option), setting)) {
          String prefix = option.substring(0, option.length() - ConfigJson.KIND.length());
          merged.entrySet().removeIf(other -> other.getKey().startsWith(prefix) && !other.getValue().lenient());
        }
      });
      merged.putAll(layer.values);
    }
    return merged;
  }

  private static boolean changes(GivenOption lower, GivenOption upper) {
    return lower == null || !(lower.value() instanceof YamlNode.Scalar a && upper.value() instanceof YamlNode.Scalar b && a.text().equals(b.text()));
  }
}
