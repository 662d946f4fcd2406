package io.github.grpo4j.run;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;

/** Why a file operation failed, in words: the messages of several of Java's exceptions are the path and nothing more. */
public final class IoReason {
  private IoReason() {}

  public static String of(IOException error) {
    String message = error.getMessage() == null ? error.getClass().getSimpleName() : error.getMessage();
    if (!(error instanceof FileSystemException failure) || failure.getReason() != null) {
      return message;
    }
    if (error instanceof NoSuchFileException) {
      return message + " does not exist";
    }
    if (error instanceof AccessDeniedException) {
      return message + " may not be read or written";
    }
    if (error instanceof FileAlreadyExistsException) {
      return message + " exists already";
    }
    if (error instanceof NotDirectoryException) {
      return message + " is not a directory";
    }
    return error instanceof DirectoryNotEmptyException ? message + " is not empty" : message;
  }
}
