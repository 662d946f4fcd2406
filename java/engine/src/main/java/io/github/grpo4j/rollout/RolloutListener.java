package io.github.grpo4j.rollout;

import io.github.grpo4j.episode.Episode;

/** Follows a rollout while it runs, on the rollout's own thread. */
public interface RolloutListener {
  RolloutListener NONE = new RolloutListener() {};

  /** A token of completion {@code completion} to the {@code request}-th request was sampled. */
  default void token(int request, int completion, int tokenId) {}

  /** Completion {@code completion} to the {@code request}-th request ended. */
  default void ended(int request, int completion, Episode episode) {}

  /** After each decoding step: completions that ended so far, all completions, and tokens sampled so far. */
  default void progress(int finished, int total, long newTokens) {}
}
