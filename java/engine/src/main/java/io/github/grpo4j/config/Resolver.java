package io.github.grpo4j.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.exc.InvalidFormatException;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.options.Registry;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** Options that were given over the defaults of a configuration record: the record, or a {@link ConfigException} with place, option and what is allowed. */
final class Resolver<R extends Record> {
  private final Schema schema;
  private final R defaults;
  private final ObjectNode tree;
  private final Map<String, GivenOption> settings;
  private final Map<String, String> origins = new LinkedHashMap<>();

  /** @param settings by canonical name, switches of the original already resolved */
  Resolver(Schema schema, R defaults, Map<String, GivenOption> settings) {
    this.schema = schema;
    this.defaults = defaults;
    this.tree = ConfigJson.mapper().valueToTree(defaults);
    this.settings = settings;
  }

  Map<String, String> origins() {
    return origins;
  }

  R resolve() {
    for (String option : schema.options()) {
      OptionType type = schema.typeOf(option);
      if (type instanceof OptionType.Choice choice) {
        choose(option, choice.registry());
      } else if (settings.containsKey(option)) {
        GivenOption setting = settings.get(option);
        group(option).set(key(option), ValueReader.read(setting.value(), type, option, setting.name()));
        origins.put(option, setting.place());
      }
    }
    try {
      @SuppressWarnings("unchecked")
      Class<R> type = (Class<R>) defaults.getClass();
      return ConfigJson.mapper().treeToValue(tree, type);
    } catch (JsonProcessingException e) {
      throw new ConfigException(explain(e));
    }
  }

  private <T> void choose(String option, Registry<T> registry) {
    ObjectNode value = (ObjectNode) group(option).get(key(option));
    GivenOption kind = settings.get(option + "." + ConfigJson.KIND);
    T chosen = registry.find(value.get(ConfigJson.KIND).asText()).orElseThrow();
    if (kind != null) {
      if (!(kind.value() instanceof YamlNode.Scalar name)) {
        throw new ConfigException(kind.place() + ": " + kind.name() + " is the name of a kind");
      }
      T named = ValueReader.kind(registry, name.text(), kind.place(), kind.name());
      if (named.getClass() != chosen.getClass()) {
        value = ConfigJson.tree(registry, named);
        group(option).set(key(option), value);
      }
      chosen = named;
      origins.put(option + "." + ConfigJson.KIND, kind.place());
    }
    Map<String, OptionType> types = OptionType.components(chosen.getClass());
    String prefix = option + ".";
    for (Map.Entry<String, GivenOption> entry : settings.entrySet()) {
      String component = entry.getKey().startsWith(prefix) ? entry.getKey().substring(prefix.length()) : ConfigJson.KIND;
      GivenOption setting = entry.getValue();
      if (!component.equals(ConfigJson.KIND) && !(setting.lenient() && !value.has(component))) {
        ValueReader.component(value, component, types, setting.value(), entry.getKey(), setting.name(), setting.place());
        origins.put(entry.getKey(), setting.place());
      }
    }
  }

  private ObjectNode group(String option) {
    return (ObjectNode) tree.get(option.substring(0, option.indexOf('.')));
  }

  private static String key(String option) {
    return option.substring(option.indexOf('.') + 1);
  }

  /** A record's message begins with its component; in front of it come the record's own path and the place. */
  private String explain(JsonProcessingException e) {
    String path = e instanceof JsonMappingException mapping
        ? mapping.getPath().stream().map(JsonMappingException.Reference::getFieldName).filter(name -> name != null).collect(Collectors.joining(".")) : "";
    if (e instanceof InvalidFormatException invalid && invalid.getTargetType().isEnum()) {
      String allowed = Arrays.stream(invalid.getTargetType().getEnumConstants())
          .map(constant -> ((Enum<?>) constant).name().toLowerCase(Locale.ROOT)).collect(Collectors.joining(", "));
      return located("", path + " is \"" + invalid.getValue() + "\"; it must be one of " + allowed);
    }
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof IllegalArgumentException || cause instanceof ConfigException) {
        return located(path, cause.getMessage() == null ? cause.toString() : cause.getMessage());
      }
    }
    return e.getOriginalMessage();
  }

  /**
   * A message begins with an option's full name or with a key of the record that it comes from. Its place goes in front of it; an option
   * that was given by another name is called by that name, too.
   *
   * @param path of the record
   */
  private String located(String path, String message) {
    int blank = Math.max(0, message.indexOf(' '));
    String first = message.substring(0, blank);
    boolean isKey = !path.isEmpty() && tree.at("/" + path.replace('.', '/')).has(first);
    String option = isKey ? path + "." + first : first;
    GivenOption setting = settings.get(option);
    if (setting == null) {
      return isKey ? path + "." + message : path.isEmpty() || first.contains(".") ? message : path + ": " + message;
    }
    String name = setting.name().startsWith(option) || option.startsWith(setting.name()) ? option : setting.name() + " (" + option + ")";
    return setting.place() + ": " + name + message.substring(blank);
  }
}
