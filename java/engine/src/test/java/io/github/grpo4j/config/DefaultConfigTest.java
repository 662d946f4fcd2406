package io.github.grpo4j.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The config.yaml at the repository's root is also the documentation of the options: it must be whole and true. */
class DefaultConfigTest {
  private static final Pattern DEFAULT = Pattern.compile("\\[(.*)\\]$");

  private static Path file() {
    Path folder = Path.of("").toAbsolutePath();
    while (!Files.exists(folder.resolve("config.yaml"))) {
      folder = folder.getParent();
    }
    return folder.resolve("config.yaml");
  }

  @Test
  void isTheRecipeOfTheDefaultRun() {
    RunConfig config = ConfigLoader.load(file(), List.of());
    assertEquals(ModelOptions.BUILTIN_TINY, config.model().path());
    assertEquals(256, config.episodesPerStep());
    assertEquals(80, config.training().maxSteps());
    assertEquals(4e-4, config.optimizer().schedule(80).at(5));
    assertEquals(4e-5, config.optimizer().schedule(80).at(80), 1e-18);
  }

  @Test
  void namesEveryOptionOnceInOrder() throws IOException {
    List<String> found = new ArrayList<>();
    String group = "";
    for (String line : Files.readAllLines(file())) {
      if (line.matches("[a-z_]+:")) {
        group = line.substring(0, line.length() - 1);
      } else if (line.matches("  [a-z_]+:.*")) {
        found.add(group + "." + line.strip().substring(0, line.strip().indexOf(':')));
      }
    }
    assertEquals(ConfigLoader.options(), found);
  }

  @Test
  void theDefaultsInBracketsAreTheDefaults() throws IOException {
    List<String> assignments = new ArrayList<>();
    String group = "";
    String stated = null;
    for (String line : Files.readAllLines(file())) {
      Matcher matcher = DEFAULT.matcher(line);
      if (line.matches("[a-z_]+:")) {
        group = line.substring(0, line.length() - 1);
      } else if (line.startsWith("  #")) {
        stated = matcher.find() ? matcher.group(matcher.groupCount()) : null;
        stated = stated == null ? null : stated.substring(lastOpening(stated)).replace("\\n", "\n");
      } else if (line.matches("  [a-z_]+:.*")) {
        String option = group + "." + line.strip().substring(0, line.strip().indexOf(':'));
        assertTrue(stated != null, option + " has no [default] in its comment");
        assignments.add(option + "=" + stated);
        stated = null;
      }
    }
    assertFalse(assignments.isEmpty());
    assertEquals(RunConfig.DEFAULTS, ConfigLoader.parse("", "none", assignments));
  }

  /** The default is the last bracket of the comment; a list has brackets of its own. */
  private static int lastOpening(String text) {
    int opening = text.lastIndexOf(" [");
    return text.startsWith("[") || opening < 0 ? 0 : opening + 2;
  }
}
