package io.github.grpo4j.run;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Set;

/** What kind of training wrote a checkpoint: one cannot go on from the other's. */
public enum RunKind {
  /** GRPO. */
  @JsonProperty("train")
  TRAIN("train", Set.of("sft")),
  /** Supervised warm-up; its evaluations read more of the configuration than its steps do. */
  @JsonProperty("sft")
  SFT("sft", Set.of("optimizer", "grpo", "reward", "rollout", "curriculum"));

  private final String command;
  private final Set<String> unreadGroups;

  RunKind(String command, Set<String> unreadGroups) {
    this.command = command;
    this.unreadGroups = unreadGroups;
  }

  /** The command that does it. */
  public String command() {
    return command;
  }

  /** Groups of the configuration that change no step of it. */
  Set<String> unreadGroups() {
    return unreadGroups;
  }
}
