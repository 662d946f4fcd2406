package io.github.grpo4j.train;

import io.github.grpo4j.data.Problem;

/** How a problem becomes the token ids that answers continue. */
public interface Prompts {
  int[] idsOf(Problem problem);

  /** Text that every prompt ends with and that the answer is read together with, such as {@code <think>}; may be empty. */
  String responsePrefix();
}
