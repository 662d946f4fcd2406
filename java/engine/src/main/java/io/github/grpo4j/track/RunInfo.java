package io.github.grpo4j.track;

import java.nio.file.Path;

/**
 * What a tracker knows of a run.
 *
 * @param directory of the run, where a tracker may keep files of its own; its last name is the run's
 * @param command that does it: {@code train} or {@code sft}
 * @param configuration all options, as YAML; it has no secrets
 * @param startedFrom one sentence on where the run starts from
 * @param firstStep first step to come; above 1 for a run that goes on from a checkpoint. Later steps of an earlier part of the run
 *     may have been reported already and are now reported again
 * @param totalSteps of the whole run
 */
public record RunInfo(Path directory, String command, String configuration, String startedFrom, int firstStep, int totalSteps) {
  public boolean resumed() {
    return firstStep > 1;
  }
}
