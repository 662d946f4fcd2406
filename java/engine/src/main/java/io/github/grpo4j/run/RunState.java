package io.github.grpo4j.run;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * What a run is beside its weights and optimizer state. Random numbers are functions of seed and step, so the step is their whole
 * state.
 *
 * @param kind what kind of training it is
 * @param step steps done
 * @param optimizerSteps optimizer steps done or skipped: the position in the learning-rate schedule
 * @param numTokens tokens processed so far
 * @param skippedUpdates optimizer steps left out because the gradient was not finite
 * @param trainData SHA-256 of the training problems
 * @param trackerOffsets length of each of the tracker's files
 * @param unreported metrics of this step where its evaluation, and so its report, is still to come: at the very start, and
 *     when the run was stopped in the middle of an evaluation; else null
 * @param modules what parts of the run remember, by their name, as they were when a checkpoint was written
 */
public record RunState(
    @JsonProperty("kind") RunKind kind,
    @JsonProperty("step") int step,
    @JsonProperty("optimizer_steps") long optimizerSteps,
    @JsonProperty("num_tokens") long numTokens,
    @JsonProperty("skipped_updates") long skippedUpdates,
    @JsonProperty("train_data") String trainData,
    @JsonProperty("tracker_offsets") Map<String, Long> trackerOffsets,
    @JsonProperty("unreported") Map<String, Number> unreported,
    @JsonProperty("modules") @JsonInclude(JsonInclude.Include.NON_EMPTY) Map<String, JsonNode> modules) {
  public static final String FILE = "state.json";

  private static final ObjectMapper JSON = new ObjectMapper();

  /** A checkpoint may be older than a component. */
  public RunState {
    kind = kind == null ? RunKind.TRAIN : kind;
    modules = modules == null ? Map.of() : modules;
  }

  public static RunState start(RunKind kind, String trainData) {
    return new RunState(kind, 0, 0, 0, 0, trainData, Map.of(), Map.of(), Map.of());
  }

  /**
   * The state after one more step, which is still to be evaluated and reported.
   *
   * @param optimizerSteps that the step did or skipped
   * @param tokens that it processed
   * @param skippedUpdates optimizer steps that it left out
   */
  public RunState next(int optimizerSteps, long tokens, int skippedUpdates, Map<String, Number> metrics) {
    return new RunState(kind, step + 1, this.optimizerSteps + optimizerSteps, numTokens + tokens, this.skippedUpdates + skippedUpdates,
        trainData, trackerOffsets, metrics, modules);
  }

  public RunState withTrackerOffsets(Map<String, Long> offsets) {
    return new RunState(kind, step, optimizerSteps, numTokens, skippedUpdates, trainData, offsets, unreported, modules);
  }

  public RunState withModules(Map<String, JsonNode> saved) {
    return new RunState(kind, step, optimizerSteps, numTokens, skippedUpdates, trainData, trackerOffsets, unreported, saved);
  }

  public RunState reported() {
    return new RunState(kind, step, optimizerSteps, numTokens, skippedUpdates, trainData, trackerOffsets, null, modules);
  }

  public void write(Path folder) throws IOException {
    Files.writeString(folder.resolve(FILE), JSON.writerWithDefaultPrettyPrinter().writeValueAsString(this) + "\n");
  }

  public static RunState read(Path folder) {
    try {
      return JSON.readValue(folder.resolve(FILE).toFile(), RunState.class);
    } catch (IOException e) {
      throw new CheckpointException(folder.resolve(FILE) + " is not readable: " + e.getMessage(), e);
    }
  }
}
