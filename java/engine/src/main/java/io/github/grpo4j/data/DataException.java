package io.github.grpo4j.data;

/** A data set that cannot be used. The message is a sentence that names the file, the line or column, and the cause. */
public final class DataException extends RuntimeException {
  public DataException(String message) {
    super(message);
  }

  public DataException(String message, Throwable cause) {
    super(message, cause);
  }
}
