package io.github.grpo4j.config;

/** A configuration that cannot be run. The message is a sentence for its author: where, which option, what is allowed. */
public final class ConfigException extends RuntimeException {
  public ConfigException(String message) {
    super(message);
  }
}
