package io.github.grpo4j.model;

import io.github.grpo4j.model.safetensors.ModelFormatException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Models that ship inside the engine's jar, named {@code builtin:NAME}. */
public final class BuiltinModels {
  private static final String PREFIX = "builtin:";
  private static final List<String> NAMES = List.of("tiny");
  private static final List<String> FILES =
      List.of("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "config.yaml");

  /** Unpacked once per process. */
  private static final Map<String, Path> UNPACKED = new HashMap<>();

  private BuiltinModels() {}

  /** Whether a name means a built-in model rather than a path. */
  public static boolean isBuiltin(String name) {
    return name.startsWith(PREFIX);
  }

  /**
   * The directory of a model: the path itself, or for {@code builtin:NAME} a temporary copy that goes with the process.
   *
   * @throws ModelFormatException if there is no such built-in model
   */
  public static Path resolve(String path) {
    if (!isBuiltin(path)) {
      return Path.of(path);
    }
    String name = path.substring(PREFIX.length());
    if (!NAMES.contains(name)) {
      throw new ModelFormatException("there is no built-in model '" + name + "'; built in are " + NAMES
          + ". A model directory is named by its path");
    }
    synchronized (UNPACKED) {
      Path known = UNPACKED.get(name);
      if (known == null || !Files.isRegularFile(known.resolve(FILES.get(0)))) {
        UNPACKED.put(name, unpack(name));
      }
      return UNPACKED.get(name);
    }
  }

  private static Path unpack(String name) {
    try {
      Path directory = Files.createTempDirectory("grpo4j-" + name + "-");
      directory.toFile().deleteOnExit();
      for (String file : FILES) {
        copy("/io/github/grpo4j/" + name + "/" + file, directory.resolve(file));
      }
      return directory;
    } catch (IOException e) {
      throw new UncheckedIOException("the built-in model " + name + " could not be unpacked: " + e.getMessage(), e);
    }
  }

  private static void copy(String resource, Path target) throws IOException {
    try (InputStream in = BuiltinModels.class.getResourceAsStream(resource)) {
      if (in == null) {
        throw new IOException("the jar has no " + resource);
      }
      Files.copy(in, target);
      target.toFile().deleteOnExit();
    }
  }
}
