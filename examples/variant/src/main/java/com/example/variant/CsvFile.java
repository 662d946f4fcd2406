package com.example.variant;

import io.github.grpo4j.track.Outcome;
import io.github.grpo4j.track.RunInfo;
import io.github.grpo4j.track.Tracker;
import io.github.grpo4j.track.TrackerFactory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;

/**
 * Writes metrics as lines {@code step,metric,value} to a file of the run directory, and how the run ended as the last line. A run that
 * goes on adds to them.
 *
 * @param file its name
 */
public record CsvFile(String file) implements TrackerFactory {
  public CsvFile() {
    this("metrics.csv");
  }

  @Override
  public Tracker create() {
    return new Lines(file);
  }

  private static final class Lines implements Tracker {
    private final String name;
    private Path file;

    Lines(String name) {
      this.name = name;
    }

    @Override
    public void start(RunInfo run) {
      file = run.directory().resolve(name);
    }

    @Override
    public void metrics(long step, Map<String, ? extends Number> metrics) {
      StringBuilder lines = new StringBuilder();
      metrics.forEach((metric, value) -> lines.append(step).append(',').append(metric).append(',')
          .append(Double.isFinite(value.doubleValue()) ? value : "").append('\n'));
      append(lines);
    }

    @Override
    public void finish(Outcome outcome) {
      append("end,outcome," + outcome + "\n");
    }

    /** What a tracker throws ends its work and becomes one warning; the run goes on. */
    private void append(CharSequence lines) {
      try {
        Files.writeString(file, lines, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
