package io.github.grpo4j.testing;

import java.net.URISyntaxException;
import java.nio.file.Path;

/** Golden values: the folder given by {@code -Dgrpo4j.fixtures=DIR}, by default the copies in the test resources. */
public final class FixtureFolder {
  private FixtureFolder() {}

  public static Path path(String relative) {
    String given = System.getProperty("grpo4j.fixtures");
    if (given != null) {
      return Path.of(given).resolve(relative);
    }
    try {
      return Path.of(FixtureFolder.class.getResource("/fixtures").toURI()).resolve(relative);
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }
}
