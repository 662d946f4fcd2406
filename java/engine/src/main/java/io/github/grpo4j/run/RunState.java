package io.github.grpo4j.run;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * What a run is beside its weights and optimizer state. Random numbers and the order of problems are functions of seed and
 * step, so the step is their whole state.
 *
 * @param step steps done
 * @param optimizerSteps optimizer steps done or skipped: the position in the learning-rate schedule
 * @param numTokens tokens processed so far
 * @param skippedUpdates optimizer steps left out because the gradient was not finite
 * @param trainData SHA-256 of the training problems
 * @param trackerOffsets length of each of the tracker's files
 * @param unreported metrics of this step where its evaluation, and so its report, is still to come: at the very start, and
 *     when the run was stopped in the middle of an evaluation; else null
 */
public record RunState(
    @JsonProperty("step") int step,
    @JsonProperty("optimizer_steps") long optimizerSteps,
    @JsonProperty("num_tokens") long numTokens,
    @JsonProperty("skipped_updates") long skippedUpdates,
    @JsonProperty("train_data") String trainData,
    @JsonProperty("tracker_offsets") Map<String, Long> trackerOffsets,
    @JsonProperty("unreported") Map<String, Number> unreported) {
  public static final String FILE = "state.json";

  private static final ObjectMapper JSON = new ObjectMapper();

  public static RunState start(String trainData) {
    return new RunState(0, 0, 0, 0, trainData, Map.of(), Map.of());
  }

  /**
   * The state after one more step, which is still to be evaluated and reported.
   *
   * @param optimizerSteps that the step did or skipped
   * @param tokens that it processed
   * @param skippedUpdates optimizer steps that it left out
   */
  public RunState next(int optimizerSteps, long tokens, int skippedUpdates, Map<String, Number> metrics) {
    return new RunState(step + 1, this.optimizerSteps + optimizerSteps, numTokens + tokens, this.skippedUpdates + skippedUpdates, trainData,
        trackerOffsets, metrics);
  }

  public RunState withTrackerOffsets(Map<String, Long> offsets) {
    return new RunState(step, optimizerSteps, numTokens, skippedUpdates, trainData, offsets, unreported);
  }

  public RunState reported() {
    return new RunState(step, optimizerSteps, numTokens, skippedUpdates, trainData, trackerOffsets, null);
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
