package io.github.grpo4j.testing;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Test data too large for the repository: the real Qwen2.5 tokenizer, GSM8K, small checkpoints.
 *
 * <p>They are looked for in the folder given by {@code -Dgrpo4j.assets=DIR}, by default {@code shared/} beside the repository. A
 * test that needs a file which is not there is skipped, and says so.
 */
public final class LargeAssets {
  private LargeAssets() {}

  /** The path of an asset, such as {@code tokenizers/qwen2.5}; skips the calling test where it is missing. */
  public static Path require(String relative) {
    Path asset = directory().resolve(relative);
    if (!Files.exists(asset)) {
      String message = "SKIPPED: needs " + asset.normalize() + "; give the folder of large test assets with -Dgrpo4j.assets=DIR";
      System.err.println(message);
      assumeTrue(false, message);
    }
    return asset;
  }

  private static Path directory() {
    String given = System.getProperty("grpo4j.assets");
    if (given != null && !given.isEmpty()) {
      return Path.of(given);
    }
    // Maven runs tests in java/engine; an IDE may run them in the repository root.
    Path repository = Path.of("").toAbsolutePath();
    while (repository.getParent() != null && !Files.exists(repository.resolve("mvnw"))) {
      repository = repository.getParent();
    }
    return repository.resolveSibling("shared");
  }
}
