package io.github.grpo4j.run;

/** A checkpoint could not be written or used; the message names it and says what became of the run. */
public final class CheckpointException extends RuntimeException {
  public CheckpointException(String message) {
    super(message);
  }

  public CheckpointException(String message, Throwable cause) {
    super(message, cause);
  }
}
