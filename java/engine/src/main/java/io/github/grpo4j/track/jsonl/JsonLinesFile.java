package io.github.grpo4j.track.jsonl;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A file of one JSON object a line. Each line is handed to the operating system at once, so a killed run loses none. */
final class JsonLinesFile implements AutoCloseable {
  private static final JsonMapper JSON = new JsonMapper();

  private final Path path;
  private final FileChannel channel;

  /**
   * Opens for appending after {@code offset} bytes; what stands behind them is cut off.
   *
   * @throws UncheckedIOException if the file cannot be written or is shorter than that
   */
  JsonLinesFile(Path path, long offset) {
    this.path = path;
    try {
      if (offset == 0) {
        // A pipe has no position to set.
        channel = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING);
        return;
      }
      channel = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      if (channel.size() < offset) {
        long size = channel.size();
        channel.close();
        throw new IOException("it has " + size + " bytes, but the checkpoint was written when it had " + offset
            + "; to go on without its history set training.run_dir to a new directory and training.resume to the checkpoint");
      }
      channel.truncate(offset).position(offset);
    } catch (IOException e) {
      throw failure("open", e);
    }
  }

  void append(JsonNode line) {
    // Through a string: a lone surrogate in a model's text becomes "?" instead of an error.
    ByteBuffer bytes = ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8));
    try {
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
    } catch (IOException e) {
      throw failure("write", e);
    }
  }

  /** Bytes written so far, after forcing them to the disk. */
  long sync() {
    try {
      channel.force(true);
      return channel.position();
    } catch (IOException e) {
      throw failure("write", e);
    }
  }

  static JsonMapper json() {
    return JSON;
  }

  private UncheckedIOException failure(String action, IOException e) {
    return new UncheckedIOException("cannot " + action + " " + path + ": " + e.getMessage(), e);
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw failure("close", e);
    }
  }
}
