package io.github.grpo4j.rollout;

/**
 * One prompt and how many completions to sample for it.
 *
 * @param problem identity of the problem; part of the key of its random numbers, so it must not depend on the batch
 * @param promptIds at least one token
 */
public record RolloutRequest(int problem, int[] promptIds, int completions) {
  public RolloutRequest {
    if (promptIds.length == 0) {
      throw new IllegalArgumentException("the prompt of problem " + problem + " is empty");
    }
    if (completions < 1) {
      throw new IllegalArgumentException(completions + " completions asked for problem " + problem);
    }
  }
}
