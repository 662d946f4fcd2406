package com.example.variant;

import io.github.grpo4j.track.Outcome;
import io.github.grpo4j.track.RunInfo;
import io.github.grpo4j.track.Tracker;
import io.github.grpo4j.track.TrackerFactory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.util.Map;

/**
 * Writes metrics as lines {@code step,metric,value} to a file of the run directory, and how the run ended as the last line.
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
    private final String file;
    private Writer out;

    Lines(String file) {
      this.file = file;
    }

    @Override
    public void start(RunInfo run) {
      write(() -> {
        Files.createDirectories(run.directory());
        out = Files.newBufferedWriter(run.directory().resolve(file));
      });
    }

    @Override
    public void metrics(long step, Map<String, ? extends Number> metrics) {
      write(() -> {
        for (Map.Entry<String, ? extends Number> metric : metrics.entrySet()) {
          out.write(step + "," + metric.getKey() + "," + metric.getValue() + "\n");
        }
      });
    }

    @Override
    public void finish(Outcome outcome) {
      write(() -> out.write("end,outcome," + outcome + "\n"));
    }

    @Override
    public void close() {
      if (out != null) {
        write(() -> out.close());
      }
    }

    private interface Output {
      void run() throws IOException;
    }

    /** What a tracker throws ends its work and becomes one warning. */
    private static void write(Output output) {
      try {
        output.run();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
