package io.github.grpo4j.train.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.github.grpo4j.backend.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
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
    List<String> different = ConfigLoader.options().stream()
        .filter(option -> !at(defaults, option).equals(at(resolved, option))).toList();
    List<String> lines = Files.readAllLines(recipe(name));
    List<String> keys = new ArrayList<>();
    String group = "";
    for (int i = 0; i < lines.size(); i++) {
      if (lines.get(i).matches("[a-z]+:")) {
        group = lines.get(i).replace(":", ".");
      } else if (lines.get(i).matches("  [a-z_]+:.*")) {
        assertTrue(lines.get(i - 1).startsWith("  # "), lines.get(i) + " is not explained");
        keys.add(group + lines.get(i).strip().replaceFirst(":.*", ""));
      }
    }
    assertEquals(different, keys);
  }

  private static JsonNode tree(RunConfig config) throws IOException {
    return new YAMLMapper().readTree(ConfigLoader.toYaml(config));
  }

  private static JsonNode at(JsonNode tree, String option) {
    return tree.at("/" + option.replace('.', '/'));
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
