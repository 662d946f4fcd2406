package io.github.grpo4j.text;

/** A tokenizer or chat template that cannot be used. The message is a sentence that names the file and the cause. */
public final class TextException extends RuntimeException {
  public TextException(String message) {
    super(message);
  }

  public TextException(String message, Throwable cause) {
    super(message, cause);
  }
}
