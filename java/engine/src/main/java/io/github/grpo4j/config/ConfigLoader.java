package io.github.grpo4j.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.cfg.EnumFeature;
import com.fasterxml.jackson.databind.exc.InvalidFormatException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLGenerator;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Reads a {@link RunConfig}: defaults, then the file, then assignments of the command line, the last one wins. Every mistake
 * becomes a {@link ConfigException} that names the place, the option and what is allowed.
 *
 * <pre>{@code
 * RunConfig config = ConfigLoader.load(Path.of("config.yaml"), List.of("training.max_steps=10"));
 * }</pre>
 */
public final class ConfigLoader {
  private static final ObjectMapper JSON = JsonMapper.builder()
      .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
      .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
      .enable(EnumFeature.WRITE_ENUMS_TO_LOWERCASE)
      .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
      .build();
  private static final ObjectMapper YAML = YAMLMapper.builder()
      .disable(YAMLGenerator.Feature.WRITE_DOC_START_MARKER)
      .enable(YAMLGenerator.Feature.MINIMIZE_QUOTES)
      .enable(YAMLGenerator.Feature.ALWAYS_QUOTE_NUMBERS_AS_STRINGS)
      .disable(YAMLGenerator.Feature.SPLIT_LINES)
      .build();

  private ConfigLoader() {}

  /**
   * Reads a file.
   *
   * @param assignments {@code group.key=value}, the values in YAML
   */
  public static RunConfig load(Path file, List<String> assignments) {
    try {
      return parse(Files.readString(file), file.getFileName().toString(), assignments);
    } catch (NoSuchFileException e) {
      throw new ConfigException("the configuration " + file + " does not exist");
    } catch (CharacterCodingException e) {
      throw new ConfigException("the configuration " + file + " is not UTF-8 text");
    } catch (IOException e) {
      throw new ConfigException("the configuration " + file + " cannot be read: " + e.getMessage());
    }
  }

  /**
   * Reads YAML text; an empty text gives the defaults.
   *
   * @param name what messages call it
   */
  public static RunConfig parse(String yaml, String name, List<String> assignments) {
    ObjectNode tree = JSON.valueToTree(RunConfig.DEFAULTS);
    SettingsReader reader = new SettingsReader(new ConfigKeys(tree.deepCopy()));
    reader.readYaml(yaml, name);
    assignments.forEach(reader::readAssignment);
    Map<String, Setting> settings = reader.settings();
    DerivedAliases.resolve(settings, option -> settings.containsKey(option) ? settings.get(option).value() : at(tree, option));
    settings.forEach((option, setting) -> ((ObjectNode) tree.get(group(option))).set(key(option), setting.value()));
    try {
      return JSON.treeToValue(tree, RunConfig.class);
    } catch (JsonProcessingException e) {
      throw new ConfigException(explain(e, settings));
    }
  }

  /** The resolved configuration as YAML, every key present: what {@code --print-config} shows and a run directory keeps. */
  public static String toYaml(RunConfig config) {
    try {
      return YAML.writeValueAsString(JSON.valueToTree(config));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a configuration is plain data", e);
    }
  }

  /** All options as {@code group.key}, in the order of the file. */
  public static List<String> options() {
    return new ConfigKeys(JSON.valueToTree(RunConfig.DEFAULTS)).options();
  }

  private static String explain(JsonProcessingException e, Map<String, Setting> settings) {
    if (e instanceof InvalidFormatException invalid && invalid.getTargetType().isEnum()) {
      String option = invalid.getPath().stream().map(JsonMappingException.Reference::getFieldName).collect(Collectors.joining("."));
      String allowed = Arrays.stream(invalid.getTargetType().getEnumConstants())
          .map(constant -> ((Enum<?>) constant).name().toLowerCase(Locale.ROOT)).collect(Collectors.joining(", "));
      return located(option + " is \"" + invalid.getValue() + "\"; it must be one of " + allowed, settings);
    }
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof ConfigException) {
        return located(cause.getMessage(), settings);
      }
    }
    return e.getOriginalMessage();
  }

  /** Puts the place of the option that the message begins with in front. */
  private static String located(String message, Map<String, Setting> settings) {
    Setting setting = settings.get(message.substring(0, Math.max(0, message.indexOf(' '))));
    return setting == null ? message : setting.place() + ": " + message;
  }

  private static JsonNode at(ObjectNode tree, String option) {
    return tree.path(group(option)).path(key(option));
  }

  private static String group(String option) {
    return option.substring(0, option.indexOf('.'));
  }

  private static String key(String option) {
    return option.substring(option.indexOf('.') + 1);
  }
}
