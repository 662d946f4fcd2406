package io.github.grpo4j.model.safetensors;

/** A model file is not what it must be; the message is a sentence that names the file, the place in it and the cause. */
public final class ModelFormatException extends RuntimeException {
  public ModelFormatException(String message) {
    super(message);
  }

  public ModelFormatException(String message, Throwable cause) {
    super(message, cause);
  }
}
