package io.github.grpo4j.config;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.LongNode;
import com.fasterxml.jackson.databind.node.TextNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import java.io.IOException;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.yaml.snakeyaml.LoaderOptions;

/**
 * Reads YAML of two levels, groups and keys, into settings that know their line. Each value is read as the type that the
 * option's default has, so {@code 1e-5} is a number and {@code off} stays a word where a word is due.
 *
 * <p>Only plain data is understood: tags, anchors, aliases, duplicate keys and deep nesting are refused.
 */
final class SettingsReader {
  private static final int LARGEST_FILE = 1_000_000;
  private static final int DEEPEST_NESTING = 10;
  private static final Pattern WHOLE_NUMBER = Pattern.compile("[-+]?\\d{1,19}");
  private static final Pattern NUMBER = Pattern.compile("[-+]?(\\d+(\\.\\d*)?|\\.\\d+)([eE][-+]?\\d+)?");
  private static final YAMLFactory YAML = YAMLFactory.builder().loaderOptions(limits())
      .enable(YAMLParser.Feature.EMPTY_STRING_AS_NULL).enable(YAMLParser.Feature.PARSE_BOOLEAN_LIKE_WORDS_AS_STRINGS)
      .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(DEEPEST_NESTING).build()).build();

  private final ConfigKeys keys;
  private final Map<String, Setting> settings = new LinkedHashMap<>();

  SettingsReader(ConfigKeys keys) {
    this.keys = keys;
  }

  private static LoaderOptions limits() {
    LoaderOptions limits = new LoaderOptions();
    limits.setCodePointLimit(LARGEST_FILE);
    limits.setNestingDepthLimit(DEEPEST_NESTING);
    limits.setMaxAliasesForCollections(0);
    return limits;
  }

  /** What has been read so far, by canonical option name; later readings replace earlier ones. */
  Map<String, Setting> settings() {
    return settings;
  }

  /**
   * Reads a whole file.
   *
   * @param name what messages call it
   */
  void readYaml(String text, String name) {
    try (YAMLParser parser = YAML.createParser(text)) {
      JsonToken first = parser.nextToken();
      if (first == null) {
        return;
      }
      if (first != JsonToken.START_OBJECT) {
        throw new ConfigException(place(parser, name) + ": a configuration consists of groups of keys: "
            + String.join(", ", keys.groups()));
      }
      Set<String> groups = new HashSet<>();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        if (!groups.add(parser.currentName())) {
          throw new ConfigException(place(parser, name) + ": the group " + parser.currentName() + " is given twice");
        }
        readGroup(parser, name);
      }
      if (parser.nextToken() != null) {
        throw new ConfigException(place(parser, name) + ": a second document begins; a configuration is one document");
      }
    } catch (JsonProcessingException e) {
      String line = e.getLocation() == null ? "" : ":" + e.getLocation().getLineNr();
      throw new ConfigException(name + line + ": not valid YAML: " + firstLine(e.getOriginalMessage()));
    } catch (IOException e) {
      throw new ConfigException(name + ": not readable as YAML: " + firstLine(e.getMessage()));
    }
  }

  /** Reads {@code group.key=value}, the value in YAML. */
  void readAssignment(String assignment) {
    String place = "--set " + assignment;
    int equals = assignment.indexOf('=');
    if (equals < 0) {
      throw new ConfigException(place + ": an assignment is written group.key=value");
    }
    String name = assignment.substring(0, equals).strip();
    String option = known(name, place);
    String value = assignment.substring(equals + 1).strip();
    JsonNode type = keys.defaultOf(option == null ? name : option);
    if (type != null && type.isTextual()) {
      put(name, option, new Setting(TextNode.valueOf(keys.canonicalValue(option, value)), place));
      return;
    }
    try (YAMLParser parser = YAML.createParser(value)) {
      parser.nextToken();
      if (parser.currentToken() == null) {
        throw new ConfigException(place + ": " + name + " has no value");
      }
      readValue(parser, name, option, place);
      if (parser.nextToken() != null) {
        throw new ConfigException(place + ": the value is more than one");
      }
    } catch (IOException e) {
      throw new ConfigException(place + ": the value is not valid YAML: " + firstLine(e.getMessage()));
    }
  }

  private void readGroup(YAMLParser parser, String file) throws IOException {
    String group = parser.currentName();
    String place = place(parser, file);
    if (!keys.isGroup(group)) {
      throw new ConfigException(place + ": unknown group \"" + group + "\"; " + keys.groupSuggestion(group));
    }
    JsonToken start = parser.nextToken();
    refuseDecoration(parser, place);
    if (start == JsonToken.VALUE_NULL) {
      return;
    }
    if (start != JsonToken.START_OBJECT) {
      throw new ConfigException(place + ": " + group + " is a group of keys, not a value");
    }
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = group + "." + parser.currentName();
      String at = place(parser, file);
      String option = known(name, at);
      Setting earlier = settings.get(option == null ? name : option);
      if (earlier != null) {
        throw new ConfigException(at + ": " + name + " is given twice, first at " + earlier.place());
      }
      parser.nextToken();
      readValue(parser, name, option, at);
    }
  }

  /** The canonical name, null for an option that stands for others ({@link DerivedAliases}); throws if it is unknown. */
  private String known(String name, String place) {
    if (DerivedAliases.NAMES.contains(name)) {
      return null;
    }
    String option = keys.canonical(name);
    if (keys.defaultOf(option) == null) {
      int dot = name.indexOf('.');
      String hint = dot < 0 || !keys.isGroup(name.substring(0, dot))
          ? keys.groupSuggestion(dot < 0 ? name : name.substring(0, dot)) : keys.suggestion(name);
      throw new ConfigException(place + ": unknown key \"" + name + "\"; " + hint);
    }
    return option;
  }

  private void readValue(YAMLParser parser, String name, String option, String place) throws IOException {
    refuseDecoration(parser, place);
    if (parser.currentToken() == JsonToken.VALUE_NULL) {
      return; // An empty value leaves the default.
    }
    JsonNode type = option == null ? DoubleNode.valueOf(0) : keys.defaultOf(option);
    JsonNode value = type.isArray() ? readList(parser, name, place) : readScalar(parser, type, name, option, place);
    put(name, option, new Setting(value, place));
  }

  private void put(String name, String option, Setting setting) {
    settings.put(option == null ? name : option, setting);
  }

  private JsonNode readList(YAMLParser parser, String name, String place) throws IOException {
    if (parser.currentToken() != JsonToken.START_ARRAY) {
      throw new ConfigException(place + ": " + name + " is a list of numbers, such as [0.9, 0.99]");
    }
    ArrayNode list = JsonNodeFactory.instance.arrayNode();
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      refuseDecoration(parser, place);
      list.add(readScalar(parser, DoubleNode.valueOf(0), name, null, place));
    }
    return list;
  }

  private JsonNode readScalar(YAMLParser parser, JsonNode type, String name, String option, String place) throws IOException {
    JsonToken token = parser.currentToken();
    if (token == null || !token.isScalarValue()) {
      throw new ConfigException(place + ": " + name + " is one value, not a list or a group");
    }
    String text = parser.getText();
    if (type.isTextual()) {
      return TextNode.valueOf(keys.canonicalValue(option, text));
    }
    if (type.isBoolean()) {
      if (token != JsonToken.VALUE_TRUE && token != JsonToken.VALUE_FALSE) {
        throw new ConfigException(place + ": " + name + " is \"" + text + "\"; it must be true or false");
      }
      return BooleanNode.valueOf(token == JsonToken.VALUE_TRUE);
    }
    String digits = text.replace("_", "");
    if (type.isIntegralNumber()) {
      return wholeNumber(digits, type, name, place);
    }
    if (!NUMBER.matcher(digits).matches() || !Double.isFinite(Double.parseDouble(digits))) {
      throw new ConfigException(place + ": " + name + " is \"" + text + "\"; it must be a number");
    }
    return DoubleNode.valueOf(Double.parseDouble(digits));
  }

  private static JsonNode wholeNumber(String digits, JsonNode type, String name, String place) {
    try {
      if (WHOLE_NUMBER.matcher(digits).matches()) {
        return type.isInt() ? IntNode.valueOf(Integer.parseInt(digits)) : LongNode.valueOf(Long.parseLong(digits));
      }
    } catch (NumberFormatException tooLarge) {
      throw new ConfigException(place + ": " + name + " is " + digits + ", which is too large");
    }
    throw new ConfigException(place + ": " + name + " is \"" + digits + "\"; it must be a whole number");
  }

  /** Tags could name types to build, and anchors could make a small file huge: a configuration needs neither. */
  private static void refuseDecoration(YAMLParser parser, String place) throws IOException {
    if (parser.getTypeId() != null || parser.getObjectId() != null || parser.isCurrentAlias()) {
      throw new ConfigException(place + ": tags, anchors and aliases of YAML are not allowed here");
    }
  }

  private static String place(JsonParser parser, String file) {
    return file + ":" + parser.currentTokenLocation().getLineNr();
  }

  private static String firstLine(String message) {
    return message == null ? "no detail is known" : message.lines().findFirst().orElse("").strip();
  }
}
