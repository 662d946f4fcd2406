package io.github.grpo4j.model;

/** A model or checkpoint directory cannot be used; the message names the file and the cause. */
public final class ModelFormatException extends RuntimeException {
  public ModelFormatException(String message) {
    super(message);
  }

  public ModelFormatException(String message, Throwable cause) {
    super(message, cause);
  }
}
