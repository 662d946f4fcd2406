package io.github.grpo4j.track.jsonl;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.track.Metrics;
import io.github.grpo4j.track.RunRecord;
import io.github.grpo4j.track.Sample;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * {@value #METRICS_FILE}, one object a step, and {@value #SAMPLES_FILE}, one object an answer, in the run directory.
 *
 * <p>A metrics line begins with {@code step}; metrics follow in the order given, those of {@link Metrics#isOfMachine} last. Apart
 * from the latter, two runs with the same seed write the same bytes.
 */
public final class JsonlTracker implements RunRecord {
  public static final String METRICS_FILE = "metrics.jsonl";
  public static final String SAMPLES_FILE = "samples.jsonl";

  private final JsonLinesFile metricsFile;
  private final SamplesFile samplesFile;

  private JsonlTracker(JsonLinesFile metricsFile, SamplesFile samplesFile) {
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
    try {
      Files.createDirectories(runDirectory);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot create the run directory " + runDirectory + ": " + e.getMessage(), e);
    }
    JsonLinesFile metrics = new JsonLinesFile(runDirectory.resolve(METRICS_FILE), offsets.getOrDefault(METRICS_FILE, 0L));
    try {
      return new JsonlTracker(metrics, new SamplesFile(runDirectory.resolve(SAMPLES_FILE), offsets.getOrDefault(SAMPLES_FILE, 0L)));
    } catch (RuntimeException e) {
      metrics.close();
      throw e;
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
  public Map<String, Long> offsets() {
    return Map.of(METRICS_FILE, metricsFile.sync(), SAMPLES_FILE, samplesFile.sync());
  }

  @Override
  public void close() {
    metricsFile.close();
    samplesFile.close();
  }
}
