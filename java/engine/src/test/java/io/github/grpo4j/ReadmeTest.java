package io.github.grpo4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.config.ConfigLoader;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the documentation shows is so: its program compiles, its links lead somewhere, its keys exist; and no package is without any. */
class ReadmeTest {
  private static final Path ROOT = Path.of(System.getProperty("grpo4j.root", "../.."));
  private static final Pattern LINK = Pattern.compile("\\]\\(([^)#]+)(#[^)]*)?\\)");
  private static final Pattern ASSIGNMENT = Pattern.compile("--set ([a-z_]+\\.[a-z_]+)=");

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({"README.md, Embedded.java", "docs/rewards.md, Rewards.java"})
  void theProgramCompiles(String page, String file) throws IOException {
    Matcher program = Pattern.compile("```java\\n(.*?)```", Pattern.DOTALL).matcher(Files.readString(ROOT.resolve(page)));
    assertTrue(program.find(), page + " has no program");
    Path source = Files.writeString(folder.resolve(file), program.group(1));
    var compiler = ToolProvider.getSystemJavaCompiler();
    StringWriter messages = new StringWriter();
    try (var files = compiler.getStandardFileManager(null, null, null)) {
      boolean compiled = compiler.getTask(messages, files, null,
          List.of("-d", folder.toString(), "-cp", System.getProperty("java.class.path")), null, files.getJavaFileObjects(source)).call();
      assertTrue(compiled, messages::toString);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {
      "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/cli.md", "docs/config.md", "docs/curriculum.md", "docs/design.md",
      "docs/extending.md", "docs/models.md", "docs/rewards.md", "docs/techniques.md", "docs/benchmarks/gpu.md"})
  void linksAndKeysExist(String name) throws IOException {
    Path file = ROOT.resolve(name);
    String text = Files.readString(file);
    List<String> missing = new ArrayList<>();
    LINK.matcher(text).results().map(link -> link.group(1)).filter(link -> !link.startsWith("http"))
        .filter(link -> !Files.exists(file.resolveSibling(link))).forEach(missing::add);
    ASSIGNMENT.matcher(text).results().map(set -> set.group(1)).filter(key -> !ConfigLoader.options().contains(key)).forEach(missing::add);
    assertEquals(List.of(), missing);
    assertFalse(text.isBlank());
  }

  @Test
  void everyPackageSaysWhatItIsFor() throws IOException {
    try (Stream<Path> files = Files.walk(ROOT.resolve("java"))) {
      List<Path> packages = files.filter(file -> file.toString().contains("/src/main/java/") && file.toString().endsWith(".java"))
          .map(Path::getParent).distinct().toList();
      assertTrue(packages.size() > 30, () -> "only " + packages);
      assertEquals(List.of(), packages.stream().filter(folder -> !Files.exists(folder.resolve("package-info.java"))).toList());
    }
  }
}
