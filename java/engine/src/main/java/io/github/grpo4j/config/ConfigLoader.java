package io.github.grpo4j.config;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Reads a {@link RunConfig}: defaults, then the file, then assignments of the command line; the last one wins. A preset that one of them
 * names lies directly below its own keys. Every mistake becomes a {@link ConfigException} that names the place, the option and what is allowed.
 *
 * <pre>{@code
 * RunConfig config = ConfigLoader.load(Path.of("config.yaml"), List.of("training.max_steps=10"));
 * }</pre>
 */
public final class ConfigLoader {
  private static final Schema SCHEMA = Schema.of(RunConfig.class);

  private ConfigLoader() {}

  /**
   * Reads a file.
   *
   * @param assignments {@code group.key=value}, the values in YAML
   */
  public static RunConfig load(Path file, List<String> assignments) {
    return read(file, assignments).config();
  }

  /** The same, with where each value comes from. */
  public static LoadedConfig read(Path file, List<String> assignments) {
    try {
      return read(Files.readString(file), file.getFileName().toString(), assignments);
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
    return read(yaml, name, assignments).config();
  }

  /** The same, with where each value comes from. */
  public static LoadedConfig read(String yaml, String name, List<String> assignments) {
    return read(SCHEMA, RunConfig.DEFAULTS, yaml, name, assignments);
  }

  private static LoadedConfig read(Schema schema, RunConfig defaults, String yaml, String name, List<String> assignments) {
    GivenOptions file = GivenOptions.ofFile(schema, yaml, name);
    GivenOptions commandLine = new GivenOptions(schema);
    assignments.forEach(commandLine::readAssignment);
    List<GivenOptions> layers = new ArrayList<>();
    for (GivenOptions layer : List.of(file, commandLine)) {
      if (layer.preset() != null) {
        layers.add(GivenOptions.ofFile(schema, Presets.yaml(layer.preset()), Presets.KEY + " " + layer.preset()));
      }
      layers.add(layer);
    }
    Map<String, GivenOption> settings = GivenOptions.merged(layers);
    JsonNode tree = ConfigJson.mapper().valueToTree(defaults);
    List<String> notes = OriginalKeys.resolve(settings, option -> valueOf(option, settings, tree));
    Resolver<RunConfig> resolver = new Resolver<>(schema, defaults, settings);
    return new LoadedConfig(resolver.resolve(), resolver.origins(), notes);
  }

  private static String valueOf(String option, Map<String, GivenOption> settings, JsonNode defaults) {
    GivenOption setting = settings.get(option);
    return setting != null && setting.value() instanceof YamlNode.Scalar given ? Double.toString(ValueReader.number(given, setting.name()))
        : defaults.at("/" + option.replace('.', '/')).asText();
  }

  /** The resolved configuration as YAML, every key present: what a run directory keeps. */
  public static String toYaml(RunConfig config) {
    return new PrintedConfig(ConfigJson.mapper().valueToTree(config)).yaml();
  }

  /** The same with a comment on each value: where it comes from. */
  public static String toAnnotatedYaml(LoadedConfig loaded) {
    return new PrintedConfig(ConfigJson.mapper().valueToTree(loaded.config())).annotated(loaded.origins());
  }

  /** The options of both that differ, by {@code group.key}. */
  public static List<String> differences(RunConfig one, RunConfig other) {
    JsonNode a = ConfigJson.mapper().valueToTree(one);
    JsonNode b = ConfigJson.mapper().valueToTree(other);
    return options().stream().filter(option -> !a.at("/" + option.replace('.', '/')).equals(b.at("/" + option.replace('.', '/')))).toList();
  }

  /** The value of {@code group.key} as one line of YAML. */
  public static String valueOf(RunConfig config, String option) {
    return PrintedConfig.inline(ConfigJson.mapper().<JsonNode>valueToTree(config).at("/" + option.replace('.', '/')));
  }

  /** All options as {@code group.key}, in the order of the file. */
  public static List<String> options() {
    return SCHEMA.options();
  }
}
