package io.github.grpo4j.track.jsonl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.grpo4j.track.Metrics;
import io.github.grpo4j.track.Sample;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JsonlTrackerTest {
  @TempDir Path folder;

  private static Map<String, Number> step(int i, double seconds) {
    return new Metrics().put(Metrics.STEP_TIME, seconds).put("loss", 0.1 * i).put(Metrics.NUM_TOKENS, 1000L * i)
        .put(Metrics.ROLLOUT_TOKENS_PER_S, 7 / seconds).asMap();
  }

  private static Sample sample(int i, String response) {
    return new Sample(i, Sample.TRAIN, 3, "2+2?", "4", response, null, 0.1, Map.of("format", 1.0), 5, true, false, true, null);
  }

  @Test
  void aLineHasStepFirstAndTimingLast() throws IOException {
    try (JsonlTracker tracker = JsonlTracker.create(folder)) {
      tracker.metrics(3, new Metrics().put(Metrics.STEP_TIME, 2.0).put("b", 0.5).put("a", Double.NaN).put("n", 12L).put("time/eval", 1.0).asMap());
      assertEquals("{\"step\":3,\"b\":0.5,\"a\":null,\"n\":12,\"step_time\":2.0,\"time/eval\":1.0}\n",
          Files.readString(folder.resolve("metrics.jsonl")), "written before it is closed");
    }
  }

  @Test
  void samplesGoThroughAPipe() throws Exception {
    Path pipe = folder.resolve("pipe");
    Assumptions.assumeTrue(Files.isExecutable(Path.of("/usr/bin/mkfifo")), "SKIPPED: needs mkfifo");
    assertEquals(0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
    CompletableFuture<List<String>> read = CompletableFuture.supplyAsync(() -> {
      try {
        return Files.readAllLines(pipe);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    });
    try (SamplesFile samples = SamplesFile.create(pipe)) {
      samples.append(sample(1, "four"));
      samples.append(sample(2, "five"));
    }
    assertEquals(2, read.get().size());
  }

  @Test
  void goingOnFromACheckpointEqualsNotStopping() throws IOException {
    Path straight = folder.resolve("straight");
    try (JsonlTracker tracker = JsonlTracker.create(straight)) {
      for (int i = 0; i < 12; i++) {
        tracker.metrics(i, step(i, 1 + i));
        tracker.samples(List.of(sample(i, "four")));
      }
    }
    Path stopped = folder.resolve("stopped");
    Map<String, Long> offsets = null;
    try (JsonlTracker tracker = JsonlTracker.create(stopped)) {
      for (int i = 0; i < 8; i++) {
        tracker.metrics(i, step(i, 3 + i));
        tracker.samples(List.of(sample(i, "four")));
        offsets = i == 4 ? tracker.offsets() : offsets;
      }
    }
    try (JsonlTracker tracker = JsonlTracker.resume(stopped, offsets)) {
      for (int i = 5; i < 12; i++) {
        tracker.metrics(i, step(i, 3 + i));
        tracker.samples(List.of(sample(i, "four")));
      }
    }
    assertEquals(Files.readString(straight.resolve("samples.jsonl")), Files.readString(stopped.resolve("samples.jsonl")));
    List<String> expected = Files.readAllLines(straight.resolve("metrics.jsonl"));
    List<String> found = Files.readAllLines(stopped.resolve("metrics.jsonl"));
    assertNotEquals(expected, found, "timing differs");
    assertEquals(expected.stream().map(Metrics::withoutMachine).toList(), found.stream().map(Metrics::withoutMachine).toList());
    assertEquals("{\"step\":5,\"loss\":0.5,\"num_tokens\":5000}", Metrics.withoutMachine(found.get(5)));
  }

  @Test
  void aNewRecordReplacesAnOldOne() throws IOException {
    Files.writeString(folder.resolve("metrics.jsonl"), "old\n");
    try (JsonlTracker tracker = JsonlTracker.create(folder)) {
      tracker.metrics(0, Map.of("loss", 1.0));
    }
    assertEquals("{\"step\":0,\"loss\":1.0}\n", Files.readString(folder.resolve("metrics.jsonl")));
  }

  @Test
  void aRecordShorterThanItsCheckpointIsRefusedAndKept() throws IOException {
    Files.writeString(folder.resolve("metrics.jsonl"), "{}\n");
    UncheckedIOException e = assertThrows(UncheckedIOException.class, () -> JsonlTracker.resume(folder, Map.of("metrics.jsonl", 100L)));
    assertTrue(e.getMessage().contains("metrics.jsonl") && e.getMessage().contains("100"), e.getMessage());
    assertEquals("{}\n", Files.readString(folder.resolve("metrics.jsonl")));
  }

  @Test
  void aFullDiskIsNamed() {
    Path full = Path.of("/dev/full");
    Assumptions.assumeTrue(Files.isWritable(full), "no /dev/full here");
    try (JsonLinesFile file = new JsonLinesFile(full, 0)) {
      UncheckedIOException e = assertThrows(UncheckedIOException.class, () -> file.append(JsonLinesFile.json().createObjectNode()));
      assertTrue(e.getMessage().startsWith("cannot write /dev/full: "), e.getMessage());
    }
  }

  @Test
  void samplesKeepWhateverTheModelWrites() throws IOException {
    String response = "line\n\"quoted\" \u0000 \ud800 é 日本 \ud83d\ude00";
    try (JsonlTracker tracker = JsonlTracker.create(folder)) {
      tracker.samples(List.of(sample(1, response)));
    }
    List<String> lines = Files.readAllLines(folder.resolve("samples.jsonl"));
    assertEquals(1, lines.size());
    JsonNode line = new ObjectMapper().readTree(lines.get(0));
    assertEquals(response.replace('\ud800', '?'), line.get("response").asText());
    assertTrue(line.get("extracted").isNull());
    assertEquals(1.0, line.get("rewards/format").asDouble());
    assertFalse(line.get("correct").asBoolean(true));
  }

  @Test
  void tracesHaveAFileOnceThereIsOneAndAreCutToTheCheckpoint() throws IOException {
    Path file = folder.resolve("eval/traces.jsonl");
    Map<String, Long> offsets;
    try (JsonlTracker tracker = JsonlTracker.create(folder)) {
      assertFalse(Files.exists(file.getParent()));
      tracker.traces(List.of(sample(1, "kept")));
      offsets = tracker.offsets();
      tracker.traces(List.of(sample(2, "after the checkpoint")));
    }
    JsonlTracker.resume(folder, offsets).close();
    assertEquals(1, Files.readAllLines(file).size());
    JsonlTracker.create(folder).close();
    assertEquals(0, Files.size(file), "a record that starts anew has none");
  }

  @Test
  void onlyTimesAndMemoryAreOfTheMachine() {
    assertTrue(Metrics.isOfMachine("step_time") && Metrics.isOfMachine("rollout/tokens_per_s") && Metrics.isOfMachine("time/eval"));
    assertTrue(Metrics.isOfMachine("memory/resident_mib"));
    for (String name : List.of("loss", "num_tokens", "eval/accuracy_greedy", "learning_rate", "completions/mean_length", "epoch")) {
      assertFalse(Metrics.isOfMachine(name), name);
    }
    assertThrows(IllegalArgumentException.class, () -> Metrics.withoutMachine("[1]"));
  }
}
