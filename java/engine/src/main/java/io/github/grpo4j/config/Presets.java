package io.github.grpo4j.config;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Published recipes by name: YAML resources that lie below the user's own keys. {@code preset: dr_grpo} in a file, or
 * {@code --set preset=dr_grpo}.
 */
public final class Presets {
  /** The key of a configuration that names one. */
  static final String KEY = "preset";

  private static final List<String> NAMES = List.of("grpo_zero", "original_baseline", "original_all", "deepseek_grpo", "dr_grpo");

  private Presets() {}

  public static List<String> names() {
    return NAMES;
  }

  /** The YAML of a preset; its first comment says what it is and which paper it follows. */
  public static String yaml(String name) {
    try (InputStream resource = Presets.class.getResourceAsStream("/io/github/grpo4j/grpo/preset/" + name + ".yaml")) {
      if (resource == null) {
        throw new IllegalArgumentException("there is no preset " + name + "; " + list());
      }
      return new String(resource.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static String list() {
    return "the presets are " + String.join(", ", NAMES);
  }

  static String require(String name, String place) {
    if (!NAMES.contains(name)) {
      throw new ConfigException(place + ": preset is \"" + name + "\"; " + Suggestions.among(name, NAMES, "the presets are"));
    }
    return name;
  }
}
