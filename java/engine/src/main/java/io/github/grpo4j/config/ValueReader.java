package io.github.grpo4j.config;

import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.LongNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.github.grpo4j.options.Registry;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** Reads each value as the type that its option has, so {@code 1e-5} is a number and {@code off} stays a word where a word is due. */
final class ValueReader {
  private static final Pattern WHOLE_NUMBER = Pattern.compile("[-+]?\\d{1,19}");
  private static final Pattern NUMBER = Pattern.compile("[-+]?(\\d+(\\.\\d*)?|\\.\\d+)([eE][-+]?\\d+)?");

  private ValueReader() {}

  /**
   * @param option canonical name
   * @param name as the user wrote it
   */
  static JsonNode read(YamlNode value, OptionType type, String option, String name) {
    if (type instanceof OptionType.ListOf list) {
      return list(value, list, option, name);
    }
    if (type instanceof OptionType.Choice choice) {
      return choice(value, choice.registry(), option, name);
    }
    if (type instanceof OptionType.Group group) {
      return group(value, group, option, name);
    }
    if (!(value instanceof YamlNode.Scalar scalar)) {
      throw new ConfigException(value.place() + ": " + name + " is one value, not a list or a group");
    }
    return scalar(scalar, (OptionType.Scalar) type, option, name);
  }

  private static JsonNode list(YamlNode value, OptionType.ListOf type, String option, String name) {
    if (!(value instanceof YamlNode.Items items)) {
      String example = type.element() instanceof OptionType.Scalar scalar ? scalar == OptionType.Scalar.NUMBER ? " of numbers, such as [0.9, 0.99]" : ""
          : ", such as [{kind: NAME}]";
      throw new ConfigException(value.place() + ": " + name + " is a list" + example);
    }
    ArrayNode list = JsonNodeFactory.instance.arrayNode();
    for (int i = 0; i < items.items().size(); i++) {
      list.add(read(items.items().get(i), type.element(), option + "[" + i + "]", name + "[" + i + "]"));
    }
    return list;
  }

  /** A kind by its bare name, or with keys that change its defaults. */
  private static <T> JsonNode choice(YamlNode value, Registry<T> registry, String option, String name) {
    if (value instanceof YamlNode.Scalar bare) {
      return ConfigJson.tree(registry, kind(registry, bare.text(), bare.place(), name));
    }
    YamlNode.Entries entries = entries(value, name);
    YamlNode.Scalar named = null;
    for (YamlNode.Entry entry : entries.entries()) {
      named = entry.key().equals(ConfigJson.KIND) && entry.value() instanceof YamlNode.Scalar scalar ? scalar : named;
    }
    if (named == null) {
      throw new ConfigException(value.place() + ": " + name + " has no " + ConfigJson.KIND + "; it is one of " + String.join(", ", registry.names()));
    }
    T defaults = kind(registry, named.text(), named.place(), name);
    ObjectNode tree = ConfigJson.tree(registry, defaults);
    fill(tree, entries, OptionType.components(defaults.getClass()), option, name);
    return tree;
  }

  /** @throws ConfigException naming the kinds that there are */
  static <T> T kind(Registry<T> registry, String kind, String place, String name) {
    try {
      return registry.find(kind).orElseThrow(() -> new ConfigException(place + ": " + name + " is \"" + kind + "\"; it must be one of "
          + String.join(", ", registry.names()) + (kind.contains(".") ? ", and no class of that name is on the class path" : "")));
    } catch (IllegalArgumentException e) {
      throw new ConfigException(place + ": " + name + ": " + e.getMessage());
    }
  }

  private static JsonNode group(YamlNode value, OptionType.Group type, String option, String name) {
    ObjectNode tree = ConfigJson.mapper().valueToTree(defaults(type.type()));
    fill(tree, entries(value, name), OptionType.components(type.type()), option, name);
    return tree;
  }

  private static Object defaults(Class<?> type) {
    try {
      return type.getConstructor().newInstance();
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(type + " has no constructor without arguments that gives its defaults", e);
    }
  }

  private static YamlNode.Entries entries(YamlNode value, String name) {
    if (value instanceof YamlNode.Entries entries) {
      return entries;
    }
    throw new ConfigException(value.place() + ": " + name + " is a group of keys, not a value");
  }

  private static void fill(ObjectNode tree, YamlNode.Entries entries, Map<String, OptionType> types, String option, String name) {
    Set<String> seen = new HashSet<>();
    for (YamlNode.Entry entry : entries.entries()) {
      if (!seen.add(entry.key())) {
        throw new ConfigException(entry.place() + ": " + name + "." + entry.key() + " is given twice");
      }
      boolean empty = entry.value() instanceof YamlNode.Scalar scalar && scalar.isEmpty();
      if (!entry.key().equals(ConfigJson.KIND) && !empty) {
        component(tree, entry.key(), types, entry.value(), option + "." + entry.key(), name + "." + entry.key(), entry.place());
      }
    }
  }

  /** Sets one key of a kind or group; throws if it has none of that name. */
  static void component(ObjectNode tree, String key, Map<String, OptionType> types, YamlNode value, String option, String name, String place) {
    OptionType type = types.containsKey(key) ? types.get(key) : tree.has(key) ? typeOf(tree.get(key)) : null;
    if (type == null) {
      Set<String> keys = new TreeSet<>();
      for (Iterator<String> names = tree.fieldNames(); names.hasNext(); ) {
        keys.add(names.next());
      }
      keys.remove(ConfigJson.KIND);
      String of = name.substring(0, name.lastIndexOf('.')) + (tree.has(ConfigJson.KIND) ? " " + tree.get(ConfigJson.KIND).asText() : "");
      throw new ConfigException(place + ": unknown key \"" + name + "\"; " + Suggestions.among(key, keys, "the keys of " + of + " are"));
    }
    tree.set(key, read(value, type, option, name));
  }

  /** Of a key of a kind that is no record. */
  private static OptionType typeOf(JsonNode defaults) {
    if (defaults.isInt()) {
      return OptionType.Scalar.INT;
    }
    if (defaults.isIntegralNumber()) {
      return OptionType.Scalar.LONG;
    }
    return defaults.isNumber() ? OptionType.Scalar.NUMBER : defaults.isBoolean() ? OptionType.Scalar.TRUTH : OptionType.Scalar.TEXT;
  }

  private static JsonNode scalar(YamlNode.Scalar value, OptionType.Scalar type, String option, String name) {
    String text = value.text();
    if (type == OptionType.Scalar.TEXT) {
      return TextNode.valueOf(Aliases.canonicalValue(option, text));
    }
    if (type == OptionType.Scalar.TRUTH) {
      if (value.token() != JsonToken.VALUE_TRUE && value.token() != JsonToken.VALUE_FALSE) {
        throw new ConfigException(value.place() + ": " + name + " is \"" + text + "\"; it must be true or false");
      }
      return BooleanNode.valueOf(value.token() == JsonToken.VALUE_TRUE);
    }
    String digits = text.replace("_", "");
    if (type != OptionType.Scalar.NUMBER) {
      return wholeNumber(digits, type == OptionType.Scalar.INT, name, value.place());
    }
    return DoubleNode.valueOf(number(value, name));
  }

  /** @throws ConfigException if it is none */
  static double number(YamlNode.Scalar value, String name) {
    String digits = value.text().replace("_", "");
    if (!NUMBER.matcher(digits).matches() || !Double.isFinite(Double.parseDouble(digits))) {
      throw new ConfigException(value.place() + ": " + name + " is \"" + value.text() + "\"; it must be a number");
    }
    return Double.parseDouble(digits);
  }

  private static JsonNode wholeNumber(String digits, boolean isInt, String name, String place) {
    try {
      if (WHOLE_NUMBER.matcher(digits).matches()) {
        return isInt ? IntNode.valueOf(Integer.parseInt(digits)) : LongNode.valueOf(Long.parseLong(digits));
      }
    } catch (NumberFormatException tooLarge) {
      throw new ConfigException(place + ": " + name + " is " + digits + ", which is too large");
    }
    throw new ConfigException(place + ": " + name + " is \"" + digits + "\"; it must be a whole number");
  }
}
