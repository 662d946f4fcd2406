package io.github.grpo4j.track.jsonl;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.track.Sample;
import java.io.UncheckedIOException;
import java.nio.file.Path;

/** Completions in a file of one JSON object a line. Each is handed to the operating system at once, so a stopped process loses none. */
public final class SamplesFile implements AutoCloseable {
  private final JsonLinesFile file;

  /** @param offset bytes to go on after; what stands behind them is cut off */
  SamplesFile(Path path, long offset) {
    this.file = new JsonLinesFile(path, offset);
  }

  /**
   * Starts a file; one that is already there is replaced.
   *
   * @throws UncheckedIOException if it cannot be written, as from {@link #append}
   */
  public static SamplesFile create(Path path) {
    return new SamplesFile(path, 0);
  }

  public void append(Sample sample) {
    ObjectNode line = JsonLinesFile.json().createObjectNode();
    line.put("step", sample.step()).put("split", sample.split()).put("problem", sample.problem());
    line.put("question", sample.question()).put("gold", sample.gold());
    line.put("response", sample.response()).put("extracted", sample.extracted());
    line.put("reward", sample.reward());
    sample.components().forEach((name, value) -> line.put("rewards/" + name, value));
    line.put("tokens", sample.tokens()).put("finished", sample.finished()).put("correct", sample.correct());
    line.put("lenient", sample.lenient());
    if (sample.failure() != null) {
      line.put("failure", sample.failure());
    }
    file.append(line);
  }

  /** Bytes written so far, after forcing them to the disk. */
  long sync() {
    return file.sync();
  }

  @Override
  public void close() {
    file.close();
  }
}
