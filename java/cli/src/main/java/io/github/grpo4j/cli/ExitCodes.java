package io.github.grpo4j.cli;

import io.github.grpo4j.backend.BackendException;
import io.github.grpo4j.config.ConfigException;
import io.github.grpo4j.data.DataException;
import io.github.grpo4j.model.safetensors.ModelFormatException;
import io.github.grpo4j.run.CheckpointException;
import io.github.grpo4j.text.TextException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.CancellationException;

/** Exit codes, those of {@code sysexits.h} where it has one. They are documented in {@code docs/cli.md}. */
final class ExitCodes {
  static final int OK = 0;
  /** Options or configuration. */
  static final int USAGE = 2;
  /** A model, tokenizer, data set or checkpoint is not what it must be. */
  static final int DATA = 65;
  /** The device or its memory. */
  static final int UNAVAILABLE = 69;
  /** A defect of grpo4j. */
  static final int INTERNAL = 70;
  /** Reading or writing failed: a full disk, missing permissions. */
  static final int IO = 74;
  /** Stopped by Ctrl-C before the work was done. */
  static final int INTERRUPTED = 130;

  private ExitCodes() {}

  static int of(Throwable error) {
    if (error instanceof CheckpointException && error.getCause() instanceof IOException) {
      return IO;
    }
    if (error instanceof ModelFormatException || error instanceof DataException || error instanceof TextException
        || error instanceof CheckpointException) {
      return DATA;
    }
    if (error instanceof BackendException || error instanceof OutOfMemoryError) {
      return UNAVAILABLE;
    }
    if (error instanceof IOException || error instanceof UncheckedIOException) {
      return IO;
    }
    if (error instanceof CancellationException) {
      return INTERRUPTED;
    }
    return error instanceof IllegalArgumentException || error instanceof ConfigException ? USAGE : INTERNAL;
  }
}
