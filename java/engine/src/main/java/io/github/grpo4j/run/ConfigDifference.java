package io.github.grpo4j.run;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import io.github.grpo4j.config.ConfigLoader;
import io.github.grpo4j.config.RunConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Whether a checkpoint may be gone on from with the present configuration. */
final class ConfigDifference {
  /** Options that change speed, memory, reporting or how long the run is, but no step that was already done. */
  private static final Set<String> FREE = Set.of(
      "backend.attention", "backend.device", "backend.threads", "data.eval_split", "data.eval_limit", "optimizer.placement",
      "rollout.max_batch", "rollout.kv_cache_mb", "training.epochs", "training.max_steps", "training.micro_batch_tokens", "training.recompute",
      "training.eval_interval", "training.eval_samples", "training.checkpoint_interval", "training.keep_checkpoints",
      "training.run_dir", "training.resume", "sft.steps");
  private ConfigDifference() {}

  /** @throws CheckpointException naming the options that differ */
  static void requireSameRun(Path checkpoint, RunConfig config, RunKind kind) {
    Path file = checkpoint.resolve(RunDirectory.CONFIG);
    ObjectMapper yaml = new ObjectMapper(new YAMLFactory());
    try {
      JsonNode then = yaml.readTree(Files.readString(file));
      JsonNode now = yaml.readTree(ConfigLoader.toYaml(config));
      List<String> differences = new ArrayList<>();
      now.fields().forEachRemaining(group -> group.getValue().fields().forEachRemaining(option -> {
        String name = group.getKey() + "." + option.getKey();
        JsonNode before = then.path(group.getKey()).path(option.getKey());
        if (!kind.unreadGroups().contains(group.getKey()) && !FREE.contains(name) && !before.isMissingNode() && !before.equals(option.getValue())) {
          differences.add(name + " was " + before + " and is now " + option.getValue());
        }
      }));
      if (!differences.isEmpty()) {
        throw new CheckpointException("checkpoint " + checkpoint + " belongs to another configuration: " + String.join("; ", differences)
            + ". Restore these options, or start over with --resume never");
      }
    } catch (IOException e) {
      throw new CheckpointException(file + " is not readable: " + e.getMessage(), e);
    }
  }
}
