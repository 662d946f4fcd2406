package io.github.grpo4j.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** A message that names an option names one that exists: what a string of the program calls an option can be set. */
class OptionNamesTest {
  private static final Path JAVA = Path.of(System.getProperty("grpo4j.root", "../.."), "java");
  private static final Schema SCHEMA = Schema.of(RunConfig.class);
  /** A comment, a character, a text block or a string: whichever begins first holds what looks like another. */
  private static final Pattern TOKEN = Pattern.compile(
      "//[^\\n]*|/\\*.*?\\*/|'(?:[^'\\\\]|\\\\.)+'|\"\"\"(.*?)\"\"\"|\"([^\"\\\\\\n]*+(?:\\\\.[^\"\\\\\\n]*+)*+)\"", Pattern.DOTALL);
  private static final Pattern NAME = Pattern.compile(
      "(?<![\\w./-])(?:" + String.join("|", SCHEMA.groups()) + ")\\.[a-z][a-z0-9_]*(?:\\.[a-z][a-z0-9_]*)?");
  /** Files of a checkpoint and tensors of a model are named alike. */
  private static final Pattern NO_OPTION = Pattern.compile("(?:model|optimizer)\\.safetensors.*|model\\.(?:embed_tokens|layers|norm)(?:\\..*)?");

  @Test
  void everyOptionThatAMessageNamesExists() throws IOException {
    Map<String, Set<String>> names = namesInSources();
    assertTrue(names.containsKey("training.run_dir") && names.containsKey("grpo.kl.coef"), () -> "too little was found: " + names.keySet());
    Map<String, Set<String>> unknown = new TreeMap<>(names);
    unknown.keySet().removeIf(OptionNamesTest::exists);
    assertEquals(Map.of(), unknown);
  }

  @Test
  void onlyOptionsKeysOfKindsAndAliasesExist() {
    for (String name : Set.of("rollout.max_batch", "grpo.surrogate", "grpo.surrogate.low", "grpo.surrogate.kind", "grpo.kl_coef", "training.batch_size")) {
      assertTrue(exists(name), name);
    }
    for (String name : Set.of("rollout.max_rows", "prompt.style", "grpo.surrogate.lowest", "training.seed.kind", "grpo.low", "rollout")) {
      assertFalse(exists(name), name);
    }
  }

  @Test
  void namesAreFoundInStringsAndNowhereElse() {
    String source = """
        // "rollout.one"
        /* "rollout.two" */ String a = "say \\"rollout.three\\" or rollout.four.five."; char quote = '"'; int rollout.six = 0;
        String b = "io.github.rollout.seven";
        """;
    assertEquals(Set.of("rollout.three", "rollout.four.five"), names(source));
    assertEquals(Set.of("grpo.std"), names("String c = \"\"\"\n  grpo.std \"quoted\"\n\"\"\";"));
  }

  private static boolean exists(String name) {
    String option = Schema.optionOf(name);
    OptionType type = SCHEMA.typeOf(option);
    boolean known = type != null && (option.equals(name) || hasKey(type, name.substring(option.length() + 1)));
    return known || !Aliases.canonical(name).equals(name) || OriginalKeys.isSwitch(name);
  }

  private static boolean hasKey(OptionType type, String key) {
    if (type instanceof OptionType.ListOf list) {
      return hasKey(list.element(), key);
    }
    if (type instanceof OptionType.Choice choice) {
      return key.equals(ConfigJson.KIND) || choice.registry().names().stream()
          .anyMatch(kind -> OptionType.components(choice.registry().find(kind).orElseThrow().getClass()).containsKey(key));
    }
    return type instanceof OptionType.Group group && OptionType.components(group.type()).containsKey(key);
  }

  /** Names with the files that name them. */
  private static Map<String, Set<String>> namesInSources() throws IOException {
    Map<String, Set<String>> found = new TreeMap<>();
    try (Stream<Path> files = Files.walk(JAVA)) {
      for (Path file : files.filter(path -> path.toString().contains("/src/main/java/") && path.toString().endsWith(".java")).toList()) {
        names(Files.readString(file)).forEach(name -> found.computeIfAbsent(name, key -> new TreeSet<>()).add(file.getFileName().toString()));
      }
    }
    return found;
  }

  private static Set<String> names(String source) {
    return TOKEN.matcher(source).results()
        .map(token -> token.group(1) != null ? token.group(1) : token.group(2)).filter(text -> text != null)
        .flatMap(text -> NAME.matcher(text).results()).map(MatchResult::group)
        .filter(name -> !NO_OPTION.matcher(name).matches()).collect(Collectors.toSet());
  }
}
