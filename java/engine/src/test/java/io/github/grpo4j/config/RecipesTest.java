package io.github.grpo4j.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import io.github.grpo4j.backend.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The recipes of configs/: what stands there is what differs from the defaults, and every key of it is explained. */
class RecipesTest {
  private static Path recipe(String name) {
    Path folder = Path.of("").toAbsolutePath();
    while (!Files.exists(folder.resolve("config.yaml"))) {
      folder = folder.getParent();
    }
    return folder.resolve("configs").resolve(name);
  }

  @ParameterizedTest
  @ValueSource(strings = {"gsm8k-boxed.yaml", "gsm8k-think.yaml"})
  void everyKeyIsExplainedAndNoDefault(String name) throws IOException {
    JsonNode defaults = tree(ConfigLoader.parse("", "defaults", List.of()));
    JsonNode resolved = tree(ConfigLoader.load(recipe(name), List.of()));
    List<String> lines = Files.readAllLines(recipe(name));
    int keys = 0;
    for (int i = 0; i < lines.size(); i++) {
      if (lines.get(i).matches("  [a-z_]+:.*")) {
        assertTrue(lines.get(i - 1).startsWith("  # "), lines.get(i) + " is not explained");
        keys++;
      }
    }
    int different = 0;
    for (String option : ConfigLoader.options()) {
      String pointer = "/" + option.replace('.', '/');
      different += defaults.at(pointer).equals(resolved.at(pointer)) ? 0 : 1;
    }
    assertEquals(different, keys, "keys of " + name + " that differ from the defaults");
  }

  private static JsonNode tree(RunConfig config) throws IOException {
    return new ObjectMapper(new YAMLFactory()).readTree(ConfigLoader.toYaml(config));
  }

  @ParameterizedTest
  @ValueSource(strings = {"gsm8k-boxed.yaml", "gsm8k-think.yaml"})
  void isTheRecipeOfASmallModelInBf16(String name) {
    RunConfig config = ConfigLoader.load(recipe(name), List.of());
    assertEquals(DType.BF16, config.model().dtype());
    assertEquals(32, config.episodesPerStep());
    assertEquals(3e-6, config.optimizer().learningRate());
    assertEquals(1.0, config.optimizer().maxGradNorm());
    assertNotEquals(name.contains("boxed"), config.prompt().responsePrefix().equals("<think>"));
  }
}
