package io.github.grpo4j.text;

import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Loads Hugging Face's tokenizers library (Rust), which DJL packs into a jar.
 *
 * <p>Left alone, DJL would extract it to {@code ~/.djl.ai}, look for a CUDA flavour on the network, and report the start of the
 * process from some cloud machines. Here it is extracted to {@code tokenizers/} in the user's cache directory, is always the CPU
 * flavour from the jar, and only its JNI entry points are used, which never open a connection. DJL's own settings
 * ({@code ENGINE_CACHE_DIR}, {@code DJL_CACHE_DIR}, {@code RUST_LIBRARY_PATH}) are respected where somebody has set them.
 */
final class NativeTokenizers {
  private static final RuntimeException FAILURE = load();

  private NativeTokenizers() {}

  /** The JNI entry points. @throws TextException if the library cannot be loaded on this machine */
  static TokenizersLibrary library() {
    if (FAILURE != null) {
      throw FAILURE;
    }
    return TokenizersLibrary.LIB;
  }

  private static RuntimeException load() {
    Map<String, String> before = new LinkedHashMap<>();
    try {
      setUnlessGiven("RUST_FLAVOR", "cpu", before);
      if (setting("DJL_CACHE_DIR") == null && setting("RUST_LIBRARY_PATH") == null) {
        setUnlessGiven("ENGINE_CACHE_DIR", cacheDirectory().toString(), before);
      }
      LibUtils.checkStatus();
      return null;
    } catch (IOException | RuntimeException | LinkageError e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      return new TextException(
          "The tokenizers library cannot be loaded: " + cause
              + " (set the environment variable ENGINE_CACHE_DIR to a directory that can be written to and executed from).", e);
    } finally {
      // Other users of DJL in this process keep their own settings.
      before.forEach((key, value) -> {
        if (value == null) {
          System.clearProperty(key);
        } else {
          System.setProperty(key, value);
        }
      });
    }
  }

  private static void setUnlessGiven(String key, String value, Map<String, String> before) {
    if (setting(key) == null) {
      before.put(key, System.getProperty(key));
      System.setProperty(key, value);
    }
  }

  private static String setting(String key) {
    String value = System.getenv(key);
    return value == null || value.isEmpty() ? System.getProperty(key) : value;
  }

  /**
   * {@code $XDG_CACHE_HOME/grpo4j}, or {@code ~/.cache/grpo4j}. Where that cannot be written, a private directory that only this
   * process knows: code must not be loaded from a path in a shared directory that others could have prepared.
   */
  private static Path cacheDirectory() throws IOException {
    String xdg = System.getenv("XDG_CACHE_HOME");
    Path base = xdg == null || xdg.isEmpty() ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(xdg);
    Path cache = base.resolve("grpo4j");
    try {
      Files.createDirectories(cache);
      if (Files.isWritable(cache)) {
        return cache;
      }
    } catch (IOException e) {
      // Falls through to the private directory: a read-only home is no reason to fail.
    }
    return Files.createTempDirectory("grpo4j");
  }
}
