package io.github.grpo4j.testing;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/**
 * Data and models too large for the repository: in the folder given by {@code -Dgrpo4j.assets=DIR}, by default the folder
 * "shared" beside the repository. A test that needs one which is not there is skipped, and says so.
 */
public final class LargeAssets {
  private LargeAssets() {}

  /** The file or folder, or a skipped test. */
  public static Path require(String relative) {
    Path folder = folder();
    Path asset = folder.resolve(relative);
    if (!Files.exists(asset)) {
      String message = "SKIPPED: " + asset + " is not there; give its folder with -Dgrpo4j.assets=DIR";
      System.err.println(message);
      Assumptions.abort(message);
    }
    return asset;
  }

  private static Path folder() {
    String given = System.getProperty("grpo4j.assets");
    if (given != null) {
      return Path.of(given);
    }
    Path root = Path.of("").toAbsolutePath();
    while (root.getParent() != null && !Files.exists(root.resolve("mvnw"))) {
      root = root.getParent();
    }
    return root.resolveSibling("shared");
  }
}
