package io.github.grpo4j.rollout;

import io.github.grpo4j.episode.Episode;

/** Follows a rollout while it runs, on the rollout's own thread. */
public interface RolloutListener {
  RolloutListener NONE = new RolloutListener() {};

  /** A token of answer {@code answer} to the {@code request}-th request was drawn. */
  default void token(int request, int answer, int tokenId) {}

  /** Answer {@code answer} to the {@code request}-th request ended. */
  default void ended(int request, int answer, Episode episode) {}

  /** After each decoding step: answers that ended so far, all answers, and tokens drawn so far. */
  default void progress(int finished, int total, long newTokens) {}
}
