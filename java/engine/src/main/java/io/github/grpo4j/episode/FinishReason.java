package io.github.grpo4j.episode;

/** Why an answer ended. */
public enum FinishReason {
  /** The model sampled an end-of-sequence token, which is the answer's last token. */
  EOS,
  /** The limit on new tokens was reached. */
  LENGTH
}
