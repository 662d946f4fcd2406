package io.github.grpo4j.testing;

import static org.junit.jupiter.api.Assertions.assertFalse;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.grpo4j.model.safetensors.SafetensorsFile;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Golden values: the folder that the system property {@code grpo4j.fixtures} names (relative paths start at the root of the
 * repository), or the copy in the test resources. Files are found by pattern and tensors by name, so that another set of the
 * same layout works too, with sequences of up to {@value #LONGEST_SEQUENCE} tokens. Tests that use it carry {@code @Tag("fixtures")}.
 */
public final class Fixtures {
  /** Tokens of the longest sequence that tests make room for. */
  public static final int LONGEST_SEQUENCE = 256;

  private static final Set<String> SAID = ConcurrentHashMap.newKeySet();

  private Fixtures() {}

  /** The folder of the set in use. */
  public static Path root() {
    String folder = System.getProperty("grpo4j.fixtures", "");
    if (folder.isBlank()) {
      try {
        return Path.of(Fixtures.class.getResource("/fixtures").toURI());
      } catch (URISyntaxException e) {
        throw new IllegalStateException(e);
      }
    }
    Path root = Path.of(System.getProperty("grpo4j.root", ".")).resolve(folder).toAbsolutePath().normalize();
    if (!Files.isDirectory(root)) {
      throw new IllegalArgumentException("grpo4j.fixtures names " + root + ", which is not a folder");
    }
    return root;
  }

  public static Path path(String relative) {
    return root().resolve(relative);
  }

  /**
   * Names, relative to {@link #root}, of the entries of a folder that match a regular expression; never none, so that a
   * misnamed set cannot pass by having nothing to check.
   */
  public static List<String> find(String folder, String regex) {
    Pattern pattern = Pattern.compile(regex);
    try (Stream<Path> entries = Files.list(path(folder))) {
      List<String> found = entries.map(entry -> entry.getFileName().toString())
          .filter(name -> pattern.matcher(name).matches()).sorted()
          .map(name -> folder.isEmpty() ? name : folder + "/" + name).toList();
      assertFalse(found.isEmpty(), () -> path(folder) + " has no file that matches " + regex);
      return found;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Whether a file is byte for byte the copy in the test resources: what was measured on the copy holds for it, too. */
  public static boolean isOwnCopy(String relative) {
    try (InputStream copy = Fixtures.class.getResourceAsStream("/fixtures/" + relative)) {
      return copy != null && Arrays.equals(copy.readAllBytes(), Files.readAllBytes(path(relative)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Prints, once, that something is held to a weaker bound than in the copy: a set without measured noise passes more easily. */
  public static void sayWeaker(String what) {
    if (SAID.add(what)) {
      System.err.println("NO NOISE FLOOR in " + root() + ": " + what);
    }
  }

  public static SafetensorsFile open(String relative) throws IOException {
    return SafetensorsFile.open(path(relative));
  }

  public static JsonNode json(String relative) throws IOException {
    return new ObjectMapper().readTree(path(relative).toFile());
  }

  /**
   * The distinct texts that the first group of {@code regex} captures in the file's tensor names: its tags, sizes, cases.
   * Never none.
   */
  public static SortedSet<String> captures(SafetensorsFile file, String regex) {
    Pattern pattern = Pattern.compile(regex);
    SortedSet<String> found = new TreeSet<>();
    for (String name : file.tensors().keySet()) {
      Matcher matcher = pattern.matcher(name);
      if (matcher.matches()) {
        found.add(matcher.group(1));
      }
    }
    assertFalse(found.isEmpty(), () -> file.path() + " has no tensor that matches " + regex);
    return found;
  }

  /** A floating-point tensor of a file, exactly. */
  public static NdArray array(SafetensorsFile file, String name) throws IOException {
    return new NdArray(file.doubles(name), file.info(name).shape());
  }
}
