package io.github.grpo4j.backend;

/** A kernel call or an allocation failed; the message names the op, the shapes and the cause. */
public final class BackendException extends RuntimeException {
  public BackendException(String message) {
    super(message);
  }

  public BackendException(String message, Throwable cause) {
    super(message, cause);
  }
}
