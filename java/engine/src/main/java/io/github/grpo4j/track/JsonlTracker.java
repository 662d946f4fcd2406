package io.github.grpo4j.track;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedWriter;
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
public final class JsonlTracker implements Tracker {
  public static final String METRICS_FILE = "metrics.jsonl";
  public static final String SAMPLES_FILE = "samples.jsonl";

  private final JsonLinesFile metricsFile;
  private final JsonLinesFile samplesFile;

  private JsonlTracker(JsonLinesFile metricsFile, JsonLinesFile samplesFile) {
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
      return new JsonlTracker(metrics, new JsonLinesFile(runDirectory.resolve(SAMPLES_FILE), offsets.getOrDefault(SAMPLES_FILE, 0L)));
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
    samples.forEach(sample -> samplesFile.append(toJson(sample)));
  }

  /** Writes a file of samples by itself, such as all answers of an evaluation; an existing one is replaced. */
  public static void writeSamples(Path file, List<Sample> samples) throws IOException {
    try (BufferedWriter writer = Files.newBufferedWriter(file)) {
      for (Sample sample : samples) {
        writer.write(toJson(sample) + "\n");
      }
    }
  }

  private static ObjectNode toJson(Sample sample) {
    ObjectNode line = JsonLinesFile.json().createObjectNode();
    line.put("step", sample.step()).put("split", sample.split()).put("problem", sample.problem());
    line.put("question", sample.question()).put("gold", sample.gold());
    line.put("response", sample.response()).put("extracted", sample.extracted());
    line.put("reward", sample.reward());
    sample.components().forEach((name, value) -> line.put("rewards/" + name, value));
    line.put("tokens", sample.tokens()).put("finished", sample.finished());
    return line;
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
