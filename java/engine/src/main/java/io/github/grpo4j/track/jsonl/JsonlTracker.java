package io.github.grpo4j.track.jsonl;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.track.Metrics;
import io.github.grpo4j.track.RunRecord;
import io.github.grpo4j.track.Sample;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * {@value #METRICS_FILE}, one object a step, {@value #SAMPLES_FILE}, one object a completion, and {@value #TRACES_FILE}, a few completions of
 * each evaluation, in the run directory.
 *
 * <p>A metrics line begins with {@code step}; metrics follow in the order given, those of {@link Metrics#isOfMachine} last. Apart
 * from the latter, two runs with the same seed write the same bytes.
 */
public final class JsonlTracker implements RunRecord {
  public static final String METRICS_FILE = "metrics.jsonl";
  public static final String SAMPLES_FILE = "samples.jsonl";

  /** Appears with the first evaluation. */
  public static final String TRACES_FILE = "eval/traces.jsonl";

  private final Path directory;
  private final JsonLinesFile metricsFile;
  private final SamplesFile samplesFile;
  private SamplesFile tracesFile;

  private JsonlTracker(Path directory, JsonLinesFile metricsFile, SamplesFile samplesFile) {
    this.directory = directory;
    this.metricsFile = metricsFile;
    this.samplesFile = samplesFile;
  }

  /** Starts a record; one that is already there is replaced. */
  public static JsonlTracker create(Path runDirectory) {
    return resume(runDirectory, Map.of());
  }

  /**
   * Goes on with a record.
   *
   * @param offsets of the checkpoint that the run goes on from; a file without one starts anew
   */
  public static JsonlTracker resume(Path runDirectory, Map<String, Long> offsets) {
    createDirectories(runDirectory);
    JsonLinesFile metrics = new JsonLinesFile(runDirectory.resolve(METRICS_FILE), offsets.getOrDefault(METRICS_FILE, 0L));
    JsonlTracker tracker;
    try {
      tracker = new JsonlTracker(
          runDirectory, metrics, new SamplesFile(runDirectory.resolve(SAMPLES_FILE), offsets.getOrDefault(SAMPLES_FILE, 0L)));
    } catch (RuntimeException e) {
      metrics.close();
      throw e;
    }
    try {
      tracker.openTraces(offsets.getOrDefault(TRACES_FILE, 0L), false);
      return tracker;
    } catch (RuntimeException e) {
      tracker.close();
      throw e;
    }
  }

  /** A file that is there is cut to the offset; a new one is made only where it is needed. */
  private void openTraces(long offset, boolean needed) {
    Path file = directory.resolve(TRACES_FILE);
    if (tracesFile == null && (needed || offset > 0 || Files.exists(file))) {
      createDirectories(file.getParent());
      tracesFile = new SamplesFile(file, offset);
    }
  }

  @Override
  public void metrics(long step, Map<String, ? extends Number> metrics) {
    ObjectNode line = JsonLinesFile.json().createObjectNode().put("step", step);
    metrics.forEach((name, value) -> {
      if (!Metrics.isOfMachine(name)) {
        put(line, name, value);
      }
    });
    metrics.forEach((name, value) -> {
      if (Metrics.isOfMachine(name)) {
        put(line, name, value);
      }
    });
    metricsFile.append(line);
  }

  /** JSON has no NaN and no infinities: such a metric is null. */
  private static void put(ObjectNode line, String name, Number value) {
    if (value instanceof Long || value instanceof Integer) {
      line.put(name, value.longValue());
    } else if (Double.isFinite(value.doubleValue())) {
      line.put(name, value.doubleValue());
    } else {
      line.putNull(name);
    }
  }

  @Override
  public void samples(List<Sample> samples) {
    samples.forEach(samplesFile::append);
  }

  @Override
  public void traces(List<Sample> traces) {
    openTraces(0, true);
    traces.forEach(tracesFile::append);
  }

  @Override
  public Map<String, Long> offsets() {
    Map<String, Long> offsets = new LinkedHashMap<>();
    offsets.put(METRICS_FILE, metricsFile.sync());
    offsets.put(SAMPLES_FILE, samplesFile.sync());
    if (tracesFile != null) {
      offsets.put(TRACES_FILE, tracesFile.sync());
    }
    return offsets;
  }

  private static void createDirectories(Path directory) {
    try {
      Files.createDirectories(directory);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot create the directory " + directory + ": " + e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    metricsFile.close();
    samplesFile.close();
    if (tracesFile != null) {
      tracesFile.close();
    }
  }
}
