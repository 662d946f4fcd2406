package io.github.grpo4j.run;

import io.github.grpo4j.config.ConfigException;
import io.github.grpo4j.config.ConfigLoader;
import io.github.grpo4j.config.RunConfig;
import java.nio.file.Path;
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
    RunConfig then = read(checkpoint.resolve(RunDirectory.CONFIG));
    List<String> differences = ConfigLoader.differences(then, config).stream()
        .filter(option -> !FREE.contains(option) && !kind.unreadGroups().contains(option.substring(0, option.indexOf('.'))))
        .map(option -> option + " was " + ConfigLoader.valueOf(then, option) + " and is now " + ConfigLoader.valueOf(config, option))
        .toList();
    if (!differences.isEmpty()) {
      throw new CheckpointException("checkpoint " + checkpoint + " belongs to another configuration: " + String.join("; ", differences)
          + ". Restore these options, or start over with --resume never");
    }
  }

  private static RunConfig read(Path file) {
    try {
      return ConfigLoader.load(file, List.of());
    } catch (ConfigException e) {
      throw new CheckpointException(file + " is not readable: " + e.getMessage(), e);
    }
  }
}
