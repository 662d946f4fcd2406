package io.github.grpo4j.reward;

import io.github.grpo4j.episode.ScoredEpisode;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/** Tells of completions that have no reward because a function threw or was late. */
public final class RewardFailures {
  private RewardFailures() {}

  /** One sentence with the first cause; empty if every function gave what it should. */
  public static Optional<String> describe(List<ScoredEpisode> episodes) {
    List<String> failures = episodes.stream().map(scored -> scored.reward().failure()).filter(Objects::nonNull).toList();
    return failures.isEmpty() ? Optional.empty() : Optional.of(
        failures.size() + " of " + episodes.size() + " completions have no reward; the first: " + failures.get(0) + " (reward.timeout_s limits a call)");
  }
}
